"""A database with the real migrations for each test of leaderboard, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, text

from shared.db import Sessions, create_engine

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from leaderboard.tables import Base

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ALEMBIC = Path(__file__).parents[1] / "alembic.ini"


def alembic(connection: Connection, action: Callable[..., object], *arguments: str) -> None:
    config = Config(ALEMBIC)
    config.attributes["connection"] = connection
    action(config, *arguments)


@pytest.fixture(scope="session")
async def leaderboard_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("leaderboard")
    engine = create_engine(url, "tests")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(alembic, command.upgrade, "head")
            await connection.run_sync(alembic, command.check)  # fails when the tables are not what migrations make
    finally:
        await engine.dispose()
    return url


@pytest.fixture(scope="session")
async def leaderboard_sessions(leaderboard_url: str) -> AsyncIterator[Sessions]:
    sessions = Sessions(create_engine(leaderboard_url, "tests"))
    yield sessions
    await sessions.engine.dispose()


@pytest.fixture
async def sessions(leaderboard_sessions: Sessions) -> Sessions:
    """The database, empty."""
    async with leaderboard_sessions.transaction() as session:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"truncate {tables} restart identity"))
    return leaderboard_sessions
