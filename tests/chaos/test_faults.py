"""Under load, while processes, servers and connections fail: no event is lost and none is handled twice."""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from fault_schedule import LONG, SETTLE_S, TIMEOUT_S, ShuffleBag
from scenario import SHORT_STEPS, Scenario

from devstack.errors import StackError
from devstack.process.gather_or_cancel import gather_or_cancel
from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)


ROLES = ("relay", "relay", "consumer", "consumer", "producer")
WORK_S = 0.01  # a batch takes long enough that many faults hit one in progress

Fault: TypeAlias = Callable[[Scenario], Awaitable[None]]


async def kill_random_process(scenario: Scenario) -> None:
    await scenario.processes.replace(scenario.rng.choice(scenario.processes.names))


async def kill_broker(scenario: Scenario) -> None:
    await scenario.servers.kill_broker()
    scenario.processes.kills["broker"] += 1
    await scenario.servers.start_broker()
    await scenario.wait_for_progress()


async def crash_postgres(scenario: Scenario) -> None:
    await scenario.servers.crash_postgres()
    scenario.processes.kills["postgres"] += 1
    await scenario.servers.start_postgres()


async def close_connections(scenario: Scenario) -> None:
    with suppress(httpx.HTTPError):  # the broker may be down
        scenario.processes.kills["broker connection"] += await scenario.servers.close_connections()


async def terminate_backends(scenario: Scenario) -> None:
    with suppress(StackError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # Postgres may be down
        scenario.processes.kills["database session"] += await scenario.servers.terminate_backends()


async def run_under_faults(
    scenario: Scenario, *faults: Fault, at_once: int = 1, fail_every: int = 0, **settings: object
) -> None:
    """Run all roles and inject each fault at least once, `at_once` at a time.

    Then assert that each fact has exactly one effect. With `fail_every` handlers fail, too, and at least one does.
    """
    for role in ROLES:
        await scenario.processes.start(role, work_s=WORK_S, fail_every=fail_every, **settings)
    bag = ShuffleBag(scenario.rng, faults)
    async for _ in scenario.fault_points(minimum=math.ceil(len(faults) / at_once)):
        await gather_or_cancel(*(fault(scenario) for fault in {bag.draw() for _ in range(at_once)}))
    assert scenario.processes.kills.total() > 0
    if fail_every:  # so few facts may be there that none of them is one to fail
        await wait_until(lambda: scenario.processes.handler_failures, "a handler fails", SETTLE_S)
    await scenario.assert_exactly_once()


@pytest.mark.long
async def test_processes_are_killed(scenario: Scenario) -> None:
    roles = ShuffleBag(scenario.rng, ROLES)

    async def kill_one(scenario: Scenario) -> None:
        await scenario.processes.replace(scenario.rng.choice(scenario.processes.list_role(roles.draw())))

    await run_under_faults(scenario, kill_one)


async def test_the_broker_is_killed(scenario: Scenario) -> None:
    await run_under_faults(scenario, kill_broker)


@pytest.mark.long
async def test_postgres_stops_immediately(scenario: Scenario) -> None:
    await run_under_faults(scenario, crash_postgres)


@pytest.mark.long
async def test_connections_are_closed(scenario: Scenario) -> None:
    await run_under_faults(scenario, close_connections, terminate_backends)
    assert scenario.processes.kills["broker connection"] > 0
    assert scenario.processes.kills["database session"] > 0


async def test_everything_fails_at_once(scenario: Scenario) -> None:
    """Handlers fail too: their messages go through the retry queues."""
    await scenario.declare_topology(SHORT_STEPS)
    faults = [kill_random_process, close_connections, terminate_backends, crash_postgres]
    await run_under_faults(
        scenario, *faults, *([kill_broker] if LONG else []), at_once=2, fail_every=25, batch=50, rate=150
    )
