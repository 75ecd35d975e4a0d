"""auth is killed at every step of a refresh: the athlete goes on, or clearly has to connect again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth_helpers import NEW_KEY, SYNC_KEY, AuthUnderTest, start_replica
from auth_process import AuthProcess, HeldStrava, auth_process
from live_server import serve_app
from sqlalchemy import text

from auth.main import check_keys
from shared.messaging import topology
from stravasim.app import create_app as create_strava
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings as StravaSettings
from stravasim.simulator import Simulator
from stravasim.strava.oauth import Rotation
from testkit.databases import execute, fetch_rows, open_database
from testkit.waiting import stays_true, wait_until

STEPS = ["before_strava", "after_strava", "before_commit", "after_commit"]


@dataclass
class Surroundings:
    """What auth as a process stands on: a Strava on a port, a broker, a database; `output` is what it writes."""

    held: HeldStrava
    simulator: Simulator
    address: str
    broker: str
    database_url: str
    output: Path

    def start(self, **settings: str) -> AbstractAsyncContextManager[AuthProcess]:
        return auth_process(self.address, self.database_url, self.broker, self.output, **settings)


@pytest.fixture
async def broker(rabbitmq_url: str, management_url: str) -> str:
    await topology.declare(rabbitmq_url, management_url)
    return rabbitmq_url


@pytest.fixture
async def surroundings(
    service: AuthUnderTest, broker: str, database_url_for: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Surroundings]:
    """Those of processes, and of `service`, which uses the same Strava."""
    app = create_strava(load_dataset(tmp_path), service.clock, StravaSettings(rotation=Rotation.ALWAYS))
    held = HeldStrava(app)
    async with serve_app(held) as address, httpx.AsyncClient() as client:
        service.strava, service.transport.inner = app.state.simulator, _Redirected(client, address)
        yield Surroundings(held, service.strava, address, broker, database_url_for("auth"), tmp_path / "output")
        held.release()


async def ask(process: AuthProcess, user: str) -> httpx.Response | None:
    """Ask for a token; None when the process dies."""
    with suppress(httpx.TransportError):
        async with process.client(SYNC_KEY) as client:
            return await client.get(f"/users/{user}/access-token")
    return None


@pytest.mark.parametrize("rotation", [Rotation.ALWAYS, Rotation.NEVER])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_leaves_a_working_or_a_clearly_reauthorizable_athlete(
    service: AuthUnderTest, surroundings: Surroundings, step: str, rotation: Rotation
) -> None:
    held, simulator = surroundings.held, surroundings.simulator
    simulator.settings = replace(simulator.settings, rotation=rotation)
    user = await service.expired_user()
    asked_before = held.token_requests
    async with surroundings.start() as process:
        await _kill_at(step, held, process, user, surroundings.database_url)
    held.release()
    await execute(service.database, "update tokens set lease_until = now() - interval '1 second'")
    async with start_replica(service.database, service.strava_client) as other:
        answers = [await other.token(user) for _ in range(3)]
        lost = rotation is Rotation.ALWAYS and step in ("after_strava", "before_commit")
        assert {answer.status_code for answer in answers} == {409 if lost else 200}
        assert held.token_requests - asked_before <= 2, "one that was killed, and one after it"
        if lost:
            assert answers[0].json()["code"] == "reauthorization_needed"
            assert len(await service.events("user.reauthorization_needed")) == 1
            assert (await service.sign_in()).json()["user_id"] == user
            assert (await other.token(user)).status_code == 200


async def _kill_at(step: str, held: HeldStrava, process: AuthProcess, user: str, database_url: str) -> None:
    if step in ("before_strava", "after_strava"):
        held.hold = step.partition("_")[0]
        asking = asyncio.create_task(ask(process, user))
        await held.held.wait()
        await process.kill()
    elif step == "before_commit":
        async with open_database(database_url) as database, database.engine.begin() as connection:
            await connection.execute(text("select 1 from users for update"))
            held.hold = "after"
            asking = asyncio.create_task(ask(process, user))
            await held.held.wait()
            await connection.execute(text("select 1 from tokens for update"))
            held.release()
            await wait_until(lambda: _waits_for_lock(database_url), "the save waits")
            await process.kill()
    else:
        before = await _grant_id(database_url)
        asking = asyncio.create_task(ask(process, user))
        await wait_until(lambda: _differs(database_url, before), "the tokens are saved")
        await process.kill()
    await asking


async def _waits_for_lock(database_url: str) -> bool:
    async with open_database(database_url) as database:
        return bool(
            await fetch_rows(
                database,
                "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'UPDATE tokens%'",
            )
        )


async def _grant_id(database_url: str) -> Any:
    async with open_database(database_url) as database:
        return (await fetch_rows(database, "select grant_id from tokens"))[0].grant_id


async def _differs(database_url: str, before: Any) -> bool:
    return bool(await _grant_id(database_url) != before)


class _Redirected(httpx.AsyncBaseTransport):
    """Sends to the Strava on a port what is meant for the one in this process."""

    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self._client = client
        self._address = address

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._client.request(
            request.method, f"{self._address}{request.url.path}", content=request.content, headers=_sent(request)
        )
        return httpx.Response(answer.status_code, content=answer.content)


def _sent(request: httpx.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}


async def test_a_termination_during_a_refresh_loses_nothing(
    service: AuthUnderTest, surroundings: Surroundings
) -> None:
    held, user = surroundings.held, await service.expired_user()
    before = await _grant_id(surroundings.database_url)
    async with surroundings.start() as process:
        held.hold = "after"
        asking = asyncio.create_task(ask(process, user))
        await held.held.wait()
        ending = asyncio.create_task(process.terminate())
        await asking  # which is given up on, as the process ends
        await stays_true(lambda: process.process.returncode is None, 2)
        held.release()
        assert await ending == 0
    assert await _grant_id(surroundings.database_url) != before
    assert (await service.token(user)).status_code == 200


async def test_it_does_not_start_without_a_key_that_is_needed(
    service: AuthUnderTest, surroundings: Surroundings
) -> None:
    await check_keys(service.replica.context)
    await service.signed_in()
    async with surroundings.start(VAULT_KEYS=f"k2:{NEW_KEY}") as process:
        assert await process.process.wait() == 2
    lines = surroundings.output.read_text().splitlines()
    logged = [line for line in lines if line.startswith("{")]  # such as a look at its health that the end cut short
    [told] = [line for line in lines if line not in logged]
    assert told == "cannot start: VAULT_KEYS lacks k1, under which tokens are encrypted"
    assert not [line for line in logged if '"error"' in line or "Traceback" in line]
