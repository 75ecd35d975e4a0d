"""A database with the real migrations for each test of leaderboard."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from leaderboard_helpers import add_challenge, create_app

from leaderboard.tables import Base
from shared.database.engine import Database
from testkit.databases import empty_tables, migrated_database


@pytest.fixture(scope="session")
async def leaderboard_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("leaderboard"), "leaderboard") as database:
        yield database


@pytest.fixture
async def database(leaderboard_database: Database) -> Database:
    """The database, empty."""
    await empty_tables(leaderboard_database, Base.metadata)
    return leaderboard_database


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger who reads the challenge of May."""
    await add_challenge(database)
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        yield client
