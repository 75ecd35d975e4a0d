"""A database with the real migrations for each test of auth, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import stamina

from devstack.service_tests import emptied, service_sessions
from shared.database.engine import Database
from stravasim.app import create_app
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from auth_rig import ATHLETE, SYNC_KEY, WEB_KEY, HandClock, Rotation, Wire, World, app, caller

from auth.tables import Base


@pytest.fixture(scope="session")
async def auth_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with service_sessions(database_url_for("auth"), "auth") as database:
        yield database


@pytest.fixture
async def database(auth_database: Database) -> Database:
    """The database, empty."""
    return await emptied(auth_database, Base.metadata)


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """auth with a Strava of two athletes."""
    for athlete in (ATHLETE, 8):
        (tmp_path / f"{athlete}.json").write_text("[]")
    clock = HandClock()
    strava = create_app(load_dataset(tmp_path), clock, StravaSettings(rotation=Rotation.ALWAYS))
    wire = Wire(httpx.ASGITransport(strava))
    async with httpx.AsyncClient(transport=wire) as client:
        application = app(database, client)
        async with caller(application, WEB_KEY) as web, caller(application, SYNC_KEY) as sync:
            yield World(web, sync, wire, clock, strava.state.simulator, database)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
