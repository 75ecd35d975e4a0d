"""A database with the real migrations for each test of auth, and its Strava."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import stamina
from auth_helpers import ATHLETE, SYNC_KEY, WEB_KEY, AuthUnderTest, create_app, make_client

from auth.tables import Base
from shared.database.engine import Database
from stravasim.app import create_app as create_strava
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings
from stravasim.strava.oauth import Rotation
from testkit.clock import ManualClock
from testkit.databases import migrated_database, truncate_all
from testkit.transports import ScriptedTransport


@pytest.fixture(scope="session")
async def auth_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("auth"), "auth") as database:
        yield database


@pytest.fixture
async def database(auth_database: Database) -> Database:
    """The database, empty."""
    await truncate_all(auth_database, Base.metadata)
    return auth_database


@pytest.fixture
async def service(database: Database, tmp_path: Path) -> AsyncIterator[AuthUnderTest]:
    """auth with a Strava of two athletes."""
    for athlete in (ATHLETE, 8):
        (tmp_path / f"{athlete}.json").write_text("[]")
    clock = ManualClock()
    strava = create_strava(load_dataset(tmp_path), clock, StravaSettings(rotation=Rotation.ALWAYS))
    transport = ScriptedTransport(httpx.ASGITransport(strava))
    async with httpx.AsyncClient(transport=transport) as client:
        application = create_app(database, client)
        async with make_client(application, WEB_KEY) as web, make_client(application, SYNC_KEY) as sync:
            yield AuthUnderTest(web, sync, transport, clock, strava.state.simulator, database)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
