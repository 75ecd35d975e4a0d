"""A migrated database, the site over fakes, and a browser."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the helpers below; pytest's importlib mode does not look beside tests

from web_fakes import FakeAuth, FakeLeaderboard  # noqa: E402
from web_harness import build  # noqa: E402
from web_server import Server, start_server  # noqa: E402

from shared.database.engine import Database, create_engine  # noqa: E402


@pytest.fixture(scope="session")
def database_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("web")
    config = Config(HERE.parent / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")
    return url


@pytest.fixture(scope="session")
async def engine_database(database_url: str) -> AsyncIterator[Database]:
    database = Database(create_engine(database_url, "web"))
    yield database
    await database.engine.dispose()


@pytest.fixture
async def database(engine_database: Database) -> Database:
    async with engine_database.transaction() as session:
        await session.execute(text("truncate sessions, sign_ins, board_snapshots"))
    return engine_database


@pytest.fixture
def leaderboard() -> FakeLeaderboard:
    return FakeLeaderboard()


@pytest.fixture
def auth() -> FakeAuth:
    return FakeAuth()


@pytest.fixture
async def client(
    database: Database, leaderboard: FakeLeaderboard, auth: FakeAuth
) -> AsyncIterator[httpx.AsyncClient]:
    async with _replica(database, leaderboard, auth) as client:
        yield client


@pytest.fixture
async def other_replica(
    database: Database, leaderboard: FakeLeaderboard, auth: FakeAuth
) -> AsyncIterator[httpx.AsyncClient]:
    async with _replica(database, leaderboard, auth) as client:
        yield client


def _replica(database: Database, leaderboard: FakeLeaderboard, auth: FakeAuth) -> httpx.AsyncClient:
    app = build(database, leaderboard, auth)
    # A browser's own header, so that the forms of these tests count as ours.
    headers = {"Sec-Fetch-Site": "same-origin"}
    client = httpx.AsyncClient(base_url="https://club.example", transport=httpx.ASGITransport(app), headers=headers)
    client.app = app  # type: ignore[attr-defined]
    return client


@pytest.fixture(scope="session")
async def server(database_url: str) -> AsyncIterator[Server]:
    server = await start_server(database_url)
    yield server
    server.process.terminate()
    await server.process.wait()
