"""The site of the club in this process, where browsers reach it; what happens behind it is the test's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from playwright.async_api import Browser, Page
from web_club import Club, RealLeaderboard
from web_fakes import FakeAuth
from web_harness import build

from shared.database.engine import Database
from testkit.waiting import wait_until


def add_strava(app: FastAPI, port: int) -> None:
    """A Strava that asks no questions."""

    @app.get("/test/authorize")
    async def authorize(request: Request, state: str) -> RedirectResponse:
        back = f"http://127.0.0.1:{port}/auth/strava/callback"
        return RedirectResponse(f"{back}?state={state}&code=good&scope=read,activity:read", 302)


@asynccontextmanager
async def serve_club(club: Club, database: Database, auth: FakeAuth) -> AsyncIterator[str]:
    """Gives the address; the site hears what the club's leaderboard emits."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    auth.authorize = f"http://localhost:{port}/test/authorize"
    app = build(database, RealLeaderboard(club.leaderboard), auth, secure=False)
    add_strava(app, port)
    club.sites.append(app)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await wait_until(lambda: server.started, "the site is served")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@asynccontextmanager
async def open_page(browser: Browser, address: str, **options: Any) -> AsyncIterator[Page]:
    """A page of a browser of its own, which may not complain."""
    context = await browser.new_context(base_url=address, locale="en-GB", **options)
    page = await context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    await context.close()
    assert problems == []


async def join(page: Page) -> None:
    """Sign in as whom auth says."""
    await page.goto("/join")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Connect with Strava").click()
    await page.wait_for_url(lambda url: "/join" not in url and "/auth/" not in url and "/test/" not in url)
