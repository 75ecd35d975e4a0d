"""A migrated database, the site over fakes, and a browser."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from playwright.async_api import Browser, async_playwright
from sqlalchemy import text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the helpers below; pytest's importlib mode does not look beside tests

from devstack.testing import database_url_for, postgres_server, test_servers  # noqa: E402, F401
from shared.db import Sessions, create_engine  # noqa: E402
from web_fakes import FakeAuth, FakeLeaderboard  # noqa: E402
from web_harness import build  # noqa: E402

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def database_url(database_url_for: Callable[[str], str]) -> str:  # noqa: F811
    url = database_url_for("web")
    config = Config(HERE.parent / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")
    return url


@pytest.fixture(scope="session")
async def engine_sessions(database_url: str) -> AsyncIterator[Sessions]:
    sessions = Sessions(create_engine(database_url, "web"))
    yield sessions
    await sessions.engine.dispose()


@pytest.fixture
async def sessions(engine_sessions: Sessions) -> Sessions:
    async with engine_sessions.transaction() as session:
        await session.execute(text("truncate sessions, sign_ins, board_snapshots"))
    return engine_sessions


@pytest.fixture
def leaderboard() -> FakeLeaderboard:
    return FakeLeaderboard()


@pytest.fixture
def auth() -> FakeAuth:
    return FakeAuth()


@pytest.fixture
async def client(
    sessions: Sessions, leaderboard: FakeLeaderboard, auth: FakeAuth
) -> AsyncIterator[httpx.AsyncClient]:
    app = build(sessions, leaderboard, auth)
    # A browser's own header, so that the forms of these tests count as ours.
    headers = {"Sec-Fetch-Site": "same-origin"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(base_url="https://club.example", transport=transport, headers=headers) as client:
        client.app = app  # type: ignore[attr-defined]
        yield client


@dataclass
class Server:
    """The site in a process of its own."""

    url: str
    process: asyncio.subprocess.Process


async def start_server(database_url: str) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "web_harness.py"), str(port), database_url
    )
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(20), httpx.AsyncClient() as probe:
        while True:
            try:
                await probe.get(f"{url}/privacy")
                return Server(url, process)
            except httpx.TransportError:
                await asyncio.to_thread(_wait_for_port, port)


def _wait_for_port(port: int) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return


@pytest.fixture(scope="session")
async def server(database_url: str) -> AsyncIterator[Server]:
    server = await start_server(database_url)
    yield server
    server.process.terminate()
    await server.process.wait()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_ARGS)
        yield browser
        await browser.close()
