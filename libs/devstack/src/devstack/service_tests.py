"""A service's database for its tests: a private schema with the real migrations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import MetaData, text

from devstack.stack.provision import upgrade
from shared.db import Sessions, create_engine


@asynccontextmanager
async def service_sessions(url: str, service: str) -> AsyncIterator[Sessions]:
    """Sessions on the service's migrated schema; fails when the tables are not what the migrations make."""
    await upgrade(service, url, check=True)
    sessions = Sessions(create_engine(url, "tests"))
    yield sessions
    await sessions.engine.dispose()


async def emptied(sessions: Sessions, metadata: MetaData) -> Sessions:
    """The same sessions, on empty tables."""
    async with sessions.transaction() as session:
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        await session.execute(text(f"truncate {tables} restart identity"))
    return sessions
