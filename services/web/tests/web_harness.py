"""The site without a broker: the same pages and streams, whose news come from the test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Protocol

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from web_fakes import FakeAuth, FakeLeaderboard, entry, transport

from shared.background import PeriodicTask
from shared.contracts.events import StandingsChanged
from shared.database.engine import Database, create_engine
from shared.http.api import create_api
from web.clients.auth import AuthClient
from web.clients.calls import Api, make_client
from web.http.cookies import Cookies
from web.live.streams import StreamLimits
from web.main import configure_app


class HasApp(Protocol):
    """leaderboard: the real one, or its fake."""

    key: str

    def app(self) -> FastAPI: ...


def news(revision: int, *boards: str) -> StandingsChanged:
    return StandingsChanged(
        challenge="autumn",
        boards=boards or ("running",),
        revision=revision,
        first_day=date(2026, 11, 1),
        last_day=date(2026, 11, 30),
    )


def build(database: Database, leaderboard: HasApp, auth: FakeAuth, *, secure: bool = True) -> FastAPI:
    cookies = Cookies(secure)
    stopping = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        steps = (app.state.boards.refresh, app.state.live_pages.changes.check)
        loops = [asyncio.create_task(PeriodicTask(step, 0.05).run(stopping)) for step in steps]
        yield
        stopping.set()
        await asyncio.gather(*loops)

    app = create_api("web", cookies=cookies.names, lifespan=lifespan)
    app.state.leaderboard, app.state.auth = leaderboard, auth
    configure_app(
        app=app,
        database=database,
        leaderboard=Api(make_client("http://leaderboard", transport(leaderboard.app())), leaderboard.key),
        auth=AuthClient(Api(make_client("http://auth", transport(auth.app())), "key")),
        cookies=cookies,
        limits=StreamLimits(total=50, of_address=40),
    )
    return app


def add_controls(app: FastAPI, leaderboard: FakeLeaderboard, auth: FakeAuth) -> None:
    """What a test in another process may change, and a Strava that asks no questions."""

    @app.get("/test/move")
    async def move(number: int, km: float) -> dict[str, int]:
        leaderboard.rows[number] = entry(number, km)
        leaderboard.revision += 1
        await app.state.boards.mark_stale(news(leaderboard.revision))
        return {"revision": leaderboard.revision}

    @app.get("/test/set")
    async def change(exists: bool = True, away: bool = False, refusal: str = "") -> dict[str, str]:
        leaderboard.exists, leaderboard.away = exists, away
        auth.refusal = (403, refusal) if refusal else None
        return {}

    @app.get("/test/authorize")
    async def authorize(request: Request, state: str) -> RedirectResponse:
        back = f"http://127.0.0.1:{request.url.port}/auth/strava/callback"
        return RedirectResponse(f"{back}?state={state}&code=good&scope=read,activity:read", 302)


def serve(port: int, database_url: str) -> None:
    leaderboard = FakeLeaderboard()
    # Another site than 127.0.0.1 in the eyes of a browser, as Strava is.
    auth = FakeAuth(authorize=f"http://localhost:{port}/test/authorize")
    app = build(Database(create_engine(database_url, "web")), leaderboard, auth, secure=False)
    add_controls(app, leaderboard, auth)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=5)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
