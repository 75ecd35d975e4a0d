"""A program that migrates every schema; it runs before the services start."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_settings import BaseSettings
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from shared.settings import load_settings

ROOT = Path(__file__).resolve().parents[5]


class Settings(BaseSettings):
    """Addresses of the databases."""

    schemas: dict[str, str]  # service -> database url


async def upgrade(service: str, url: str, *, check: bool = False) -> None:
    """Migrate one service's schema to its latest revision.

    With `check`, raises an Alembic error when the migrations do not produce the tables of its metadata.
    """
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_run, service, check)
    await engine.dispose()


def _run(connection: Connection, service: str, check: bool) -> None:
    config = Config(ROOT / "services" / service / "alembic.ini")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if check:
        command.check(config)


async def _migrate(settings: Settings) -> None:
    for service, url in settings.schemas.items():
        await upgrade(service, url)


if __name__ == "__main__":
    asyncio.run(_migrate(load_settings(Settings)))
