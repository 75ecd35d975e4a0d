"""A database with the real migrations for each test of sync, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from devstack.service_tests import emptied, service_sessions
from shared.database.engine import Database
from stravasim.app import create_app
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from sync_rig import ATHLETE, FakeAuth, Wire, World

from sync.strava import AuthClient, StravaClient
from sync.tables import Base
from sync.worker import Worker


@pytest.fixture(scope="session")
async def sync_database(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    async with service_sessions(database_url_for("sync"), "sync") as database:
        yield database


@pytest.fixture
async def database(sync_database: Database) -> Database:
    """The database, empty."""
    return await emptied(sync_database, Base.metadata)


@pytest.fixture
async def make_world(database: Database, tmp_path: Path) -> AsyncIterator[Callable[..., World]]:
    """make_world(limits=..., short_pages=...): a worker and a Strava with such settings."""
    (tmp_path / f"{ATHLETE}.json").write_text("[]")
    clients: list[httpx.AsyncClient] = []

    def make(**settings: Any) -> World:
        strava = create_app(load_dataset(tmp_path), None, StravaSettings(**settings))
        simulator = strava.state.simulator
        auth = FakeAuth(simulator)
        wire = Wire(httpx.ASGITransport(strava), auth)
        clients.append(httpx.AsyncClient(transport=wire))
        auth_client = AuthClient(clients[-1], "http://auth.test", "key")
        worker = Worker(database, auth_client, StravaClient(clients[-1], "http://strava.test/api/v3"))
        return World(worker, wire, auth, simulator, database)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
