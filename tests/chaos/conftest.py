"""The servers that chaos tests kill, and a scenario for each test."""

from collections.abc import AsyncIterator, Callable

import pytest
from fault_schedule import Report
from killable_servers import KillableServers, run_killable_servers
from scenario import Scenario, open_scenario


@pytest.fixture(scope="package")
async def killable_servers() -> AsyncIterator[KillableServers]:
    """Servers for these tests only, because they are killed."""
    async with run_killable_servers() as servers:
        yield servers


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """report(line): print the line when the test has ended, also when it has passed."""
    return lambda line: record_property("measured", line)


@pytest.fixture
async def scenario(
    killable_servers: KillableServers, request: pytest.FixtureRequest, report: Report
) -> AsyncIterator[Scenario]:
    """A scenario with its own schema, queues and processes; named after the test."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    async with open_scenario(killable_servers, name, report) as scenario:
        yield scenario
