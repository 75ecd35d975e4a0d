"""A database with the real migrations for each test of sync, and its rig."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

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

from sync_rig import ATHLETE, FakeAuth, Wire, World

from sync.strava import StravaApi, Vault
from sync.tables import Base
from sync.worker import Worker

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ALEMBIC = Path(__file__).parents[1] / "alembic.ini"


def alembic(connection: Connection, action: Callable[..., object], *arguments: str) -> None:
    config = Config(ALEMBIC)
    config.attributes["connection"] = connection
    action(config, *arguments)


@pytest.fixture(scope="session")
async def sync_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("sync")
    engine = create_engine(url, "tests")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(alembic, command.upgrade, "head")
            await connection.run_sync(alembic, command.check)  # fails when the tables are not what migrations make
    finally:
        await engine.dispose()
    return url


@pytest.fixture(scope="session")
async def sync_sessions(sync_url: str) -> AsyncIterator[Sessions]:
    sessions = Sessions(create_engine(sync_url, "tests"))
    yield sessions
    await sessions.engine.dispose()


@pytest.fixture
async def sessions(sync_sessions: Sessions) -> Sessions:
    """The database, empty."""
    async with sync_sessions.transaction() as session:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"truncate {tables} restart identity"))
    return sync_sessions


@pytest.fixture
async def make_world(sessions: Sessions, tmp_path: Path) -> AsyncIterator[Callable[..., World]]:
    """make_world(limits=..., short_pages=...): a worker and a Strava with such settings."""
    (tmp_path / f"{ATHLETE}.json").write_text("[]")
    clients: list[httpx.AsyncClient] = []

    def make(**settings: Any) -> World:
        strava = create_app(load_folder(tmp_path), None, StravaSettings(**settings))
        simulator = strava.state.simulator
        auth = FakeAuth(simulator)
        wire = Wire(httpx.ASGITransport(strava), auth)
        clients.append(httpx.AsyncClient(transport=wire))
        vault = Vault(clients[-1], "http://auth.test", "key")
        worker = Worker(sessions, vault, StravaApi(clients[-1], "http://strava.test/api/v3"))
        return World(worker, wire, auth, simulator, sessions)

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
