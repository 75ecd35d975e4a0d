"""A database with the real migrations for each test of sync, and its Strava."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina
from sync_helpers import ATHLETE, FakeAuth, RoutingTransport, SyncUnderTest

from shared.database.engine import Database
from stravasim.app import create_app
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings
from sync.clients.auth import AuthClient
from sync.clients.strava import StravaClient
from sync.fetching.calls import PER_PAGE, FetchContext
from sync.fetching.worker import Worker
from sync.tables import Base
from testkit.clock import ManualClock
from testkit.databases import empty_tables, migrated_database
from testkit.transports import ScriptedTransport

#: Never the present: in the first second of a quarter hour no call is allowed, and at midnight a day begins.
STARTS_AT = datetime(2026, 6, 1, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
async def sync_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with migrated_database(database_url_for("sync"), "sync") as database:
        yield database


@pytest.fixture
async def database(sync_database: Database) -> Database:
    """The database, empty."""
    await empty_tables(sync_database, Base.metadata)
    return sync_database


@pytest.fixture
async def make_service(database: Database, tmp_path: Path) -> AsyncIterator[Callable[..., SyncUnderTest]]:
    """make_service(limits=..., short_pages=...): a worker and a Strava with such settings, by one clock."""
    clients: list[httpx.AsyncClient] = []

    def make(per_page: int = PER_PAGE, athletes: int = 1, **settings: Any) -> SyncUnderTest:
        for number in range(athletes):
            (tmp_path / f"{ATHLETE + number}.json").write_text("[]")
        clock = ManualClock(STARTS_AT)
        strava = create_app(load_dataset(tmp_path), clock, StravaSettings(**settings))
        simulator = strava.state.simulator
        auth = FakeAuth(simulator)
        transport = ScriptedTransport(httpx.ASGITransport(strava))
        clients.append(httpx.AsyncClient(transport=RoutingTransport(auth, transport)))
        context = FetchContext(
            database,
            AuthClient(clients[-1], "http://auth.test", "key"),
            StravaClient(clients[-1], "http://strava.test/api/v3"),
            clock.now,
            per_page,
        )
        return SyncUnderTest(Worker(context), context, transport, auth, simulator, clock)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def service(make_service: Callable[..., SyncUnderTest]) -> SyncUnderTest:
    return make_service()


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
