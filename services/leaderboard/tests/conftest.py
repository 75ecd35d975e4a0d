"""A database with the real migrations for each test of leaderboard, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devstack.service_tests import emptied, service_sessions
from shared.database.engine import Database

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from leaderboard.tables import Base


@pytest.fixture(scope="session")
async def leaderboard_sessions(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with service_sessions(database_url_for("leaderboard"), "leaderboard") as database:
        yield database


@pytest.fixture
async def database(leaderboard_sessions: Database) -> Database:
    """The database, empty."""
    return await emptied(leaderboard_sessions, Base.metadata)
