"""A migrated database, the site over fakes, and a browser."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from web_club import Club, RealLeaderboard
from web_fakes import FakeAuth, FakeLeaderboard
from web_harness import build
from web_server import Server, start_server

from leaderboard.tables import Base as LeaderboardBase
from shared.database.engine import Database
from testkit.databases import empty_tables, migrated_database
from web.tables import Base


@pytest.fixture(scope="session")
async def web_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("web"), "web") as database:
        yield database


@pytest.fixture(scope="session")
def database_url(web_database: Database) -> str:
    """The address of the migrated database, for processes."""
    return web_database.engine.url.render_as_string(hide_password=False)


@pytest.fixture
async def database(web_database: Database) -> Database:
    """The database, empty."""
    await empty_tables(web_database, Base.metadata)
    return web_database


@pytest.fixture
def leaderboard() -> FakeLeaderboard:
    return FakeLeaderboard()


@pytest.fixture
def auth() -> FakeAuth:
    return FakeAuth()


@pytest.fixture(scope="session")
async def leaderboard_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("leaderboard"), "leaderboard") as database:
        yield database


@pytest.fixture
async def club(database: Database, leaderboard_database: Database, auth: FakeAuth) -> AsyncIterator[Club]:
    """The site over the real leaderboard, where there is nothing yet."""
    await empty_tables(leaderboard_database, LeaderboardBase.metadata)
    async with _replica(database, RealLeaderboard(leaderboard_database), auth) as client:
        yield Club(client, auth, leaderboard_database)


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


def _replica(database: Database, leaderboard: FakeLeaderboard | RealLeaderboard, auth: FakeAuth) -> httpx.AsyncClient:
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
