"""A service's database for its tests: the real migrations, emptied before each test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import MetaData, Row, text

from devstack.stack.provision import upgrade
from shared.database.engine import Database, create_engine
from shared.database.tables import service_metadata

#: More than this, rows of earlier tests included, is no longer deleted row by row.
MANY_BYTES = 1_000_000


@asynccontextmanager
async def migrated_database(url: str, service: str) -> AsyncIterator[Database]:
    """A database with the service's migrated schema; fails when the tables are not what the migrations make."""
    await upgrade(service, url, check=True)
    async with open_database(url) as database:
        yield database


async def create_messaging_tables(url: str, *statements: str) -> None:
    """Create the outbox and the inbox in an empty schema, and what the statements create."""
    async with open_database(url) as database, database.engine.begin() as connection:
        await connection.run_sync(service_metadata().create_all)
        for statement in statements:
            await connection.execute(text(statement))


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database at that address, closed at the end."""
    database = Database(create_engine(url, "tests"))
    try:
        yield database
    finally:
        await database.engine.dispose()


async def empty_tables(database: Database, metadata: MetaData) -> None:
    """Empty the tables and restart their sequences."""
    names = [table.name for table in reversed(metadata.sorted_tables)]
    # `truncate` makes new files for every table and index, which takes ten times as long as to delete a few rows.
    deletions = " ".join(f"delete from {name};" for name in names)  # noqa: S608
    await execute(
        database,
        f"""
        do $$ begin
            if (select sum(pg_relation_size(name::regclass)) from unnest(array{names}) as name) > {MANY_BYTES} then
                truncate {", ".join(names)} restart identity;
            else
                {deletions}
                perform setval(seqrelid, seqstart, false)
                from pg_sequence join pg_class on oid = seqrelid where relnamespace = current_schema()::regnamespace;
            end if;
        end $$
        """,  # noqa: S608
    )


async def execute(database: Database, statement: str, **parameters: Any) -> None:
    """Run one statement in a transaction of its own."""
    async with database.transaction() as session:
        await session.execute(text(statement), parameters)


async def fetch_rows(database: Database, statement: str, **parameters: Any) -> list[Row[Any]]:
    """What one statement returns."""
    async with database.transaction() as session:
        return list(await session.execute(text(statement), parameters))
