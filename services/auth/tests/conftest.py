"""A database with the real migrations for each test of auth, and its Strava."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import stamina
from auth_helpers import ATHLETE, AuthUnderTest, Replica, start_replica

from auth.tables import Base
from shared.database.engine import Database
from stravasim.app import create_app as create_strava
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings
from stravasim.strava.oauth import Rotation
from testkit.clock import ManualClock
from testkit.databases import empty_tables, migrated_database, open_database
from testkit.transports import ScriptedTransport


@pytest.fixture(scope="session")
async def auth_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("auth"), "auth") as database:
        yield database


@pytest.fixture
async def database(auth_database: Database) -> Database:
    """The database, empty."""
    await empty_tables(auth_database, Base.metadata)
    return auth_database


@pytest.fixture
async def service(database: Database, tmp_path: Path) -> AsyncIterator[AuthUnderTest]:
    """auth with a Strava of two athletes."""
    for athlete in (ATHLETE, 8):
        (tmp_path / f"{athlete}.json").write_text("[]")
    clock = ManualClock()
    strava = create_strava(load_dataset(tmp_path), clock, StravaSettings(rotation=Rotation.ALWAYS))
    transport = ScriptedTransport(httpx.ASGITransport(strava))
    async with httpx.AsyncClient(transport=transport) as client, start_replica(database, client) as replica:
        yield AuthUnderTest(replica, client, transport, clock, strava.state.simulator, database)


@pytest.fixture
async def replica(service: AuthUnderTest, database_url_for: Callable[[str], str]) -> AsyncIterator[Replica]:
    """Another process's auth, as far as one process can be two: its own connections, its own memory."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(database_url_for("auth")))
        yield await stack.enter_async_context(start_replica(database, service.strava_client))


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
