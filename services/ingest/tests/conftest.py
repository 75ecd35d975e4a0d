"""A database with the real migrations for each test of ingest."""

from collections.abc import AsyncIterator, Callable

import pytest

from ingest.tables import Base
from shared.database.engine import Database
from testkit.databases import empty_tables, migrated_database


@pytest.fixture(scope="session")
async def ingest_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("ingest"), "ingest") as database:
        yield database


@pytest.fixture
async def database(ingest_database: Database) -> Database:
    """The database, empty."""
    await empty_tables(ingest_database, Base.metadata)
    return ingest_database
