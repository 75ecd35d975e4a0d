"""A service's database for its tests: a private schema with the real migrations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import MetaData, text

from devstack.stack.provision import upgrade
from shared.database.engine import Database, create_engine


@asynccontextmanager
async def service_sessions(url: str, service: str) -> AsyncIterator[Database]:
    """A database with the service's migrated schema; fails when the tables are not what the migrations make."""
    await upgrade(service, url, check=True)
    database = Database(create_engine(url, "tests"))
    yield database
    await database.engine.dispose()


async def emptied(database: Database, metadata: MetaData) -> Database:
    """The same sessions, on empty tables."""
    async with database.transaction() as session:
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        await session.execute(text(f"truncate {tables} restart identity"))
    return database
