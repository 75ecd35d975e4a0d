"""The Alembic environment that every service's `migrations/env.py` delegates to."""

import asyncio

from alembic import context, op
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy import schema as ddl
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database.tables import service_metadata


def run_migrations(metadata: MetaData) -> None:
    """Upgrade the schema that the configured role owns; replicas that start together wait for each other."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection, metadata)
    else:
        asyncio.run(_run(str(context.config.get_main_option("sqlalchemy.url")), metadata))


async def _run(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate, metadata)
        await connection.commit()
    await engine.dispose()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('migrate:' || current_user, 0))"))
        context.run_migrations()


def create_outbox_and_inbox() -> None:
    """The first migration's part that is the same in every service."""
    connection = op.get_bind()
    for table in service_metadata().sorted_tables:
        connection.execute(ddl.CreateTable(table))
        for index in table.indexes:
            connection.execute(ddl.CreateIndex(index))
    # Rows live for milliseconds: without this, the dead ones pile up between the default's rare vacuums.
    op.execute("alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)")
