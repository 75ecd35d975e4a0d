"""A database with the real migrations for each test of auth, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import stamina
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, text

from shared.db import Sessions, create_engine
from stravasim.app import create_app
from stravasim.club import load_folder
from stravasim.simulator import Settings as StravaSettings

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from auth_rig import ATHLETE, SYNC_KEY, WEB_KEY, HandClock, Rotation, Wire, World, app, caller

from auth.tables import Base

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ALEMBIC = Path(__file__).parents[1] / "alembic.ini"


def alembic(connection: Connection, action: Callable[..., object], *arguments: str) -> None:
    config = Config(ALEMBIC)
    config.attributes["connection"] = connection
    action(config, *arguments)


@pytest.fixture(scope="session")
async def auth_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("auth")
    engine = create_engine(url, "tests")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(alembic, command.upgrade, "head")
            await connection.run_sync(alembic, command.check)  # fails when the tables are not what migrations make
    finally:
        await engine.dispose()
    return url


@pytest.fixture(scope="session")
async def auth_sessions(auth_url: str) -> AsyncIterator[Sessions]:
    sessions = Sessions(create_engine(auth_url, "tests"))
    yield sessions
    await sessions.engine.dispose()


@pytest.fixture
async def sessions(auth_sessions: Sessions) -> Sessions:
    """The database, empty."""
    async with auth_sessions.transaction() as session:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"truncate {tables} restart identity"))
    return auth_sessions


@pytest.fixture
async def world(sessions: Sessions, tmp_path: Path) -> AsyncIterator[World]:
    """auth with a Strava of two athletes."""
    for athlete in (ATHLETE, 8):
        (tmp_path / f"{athlete}.json").write_text("[]")
    clock = HandClock()
    strava = create_app(load_folder(tmp_path), clock, StravaSettings(rotation=Rotation.ALWAYS))
    wire = Wire(httpx.ASGITransport(strava))
    async with httpx.AsyncClient(transport=wire) as client:
        application = app(sessions, client)
        async with caller(application, WEB_KEY) as web, caller(application, SYNC_KEY) as sync:
            yield World(web, sync, wire, clock, strava.state.simulator, sessions)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
