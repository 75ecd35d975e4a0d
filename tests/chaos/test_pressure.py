"""While the broker accepts no messages, events wait in the outbox, and consumers go on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fault_schedule import TIMEOUT_S
from scenario import Scenario

from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@asynccontextmanager
async def memory_alarm(scenario: Scenario) -> AsyncIterator[None]:
    await scenario.servers.set_memory_alarm(on=True)
    try:
        yield
    finally:
        await scenario.servers.set_memory_alarm(on=False)


@asynccontextmanager
async def max_length_policy(scenario: Scenario, length: int) -> AsyncIterator[None]:
    """A policy of higher priority than ours, as an operator may set it, that limits the queue's length."""
    policy = {
        "pattern": f"^{scenario.queue}$",
        "apply-to": "queues",
        "priority": 20,
        "definition": {"max-length": length, "overflow": "reject-publish"},
    }
    async with scenario.servers.management_client() as client:
        (await client.put(f"/api/policies/%2f/{scenario.queue}.full", json=policy)).raise_for_status()
        try:
            yield
        finally:
            await client.delete(f"/api/policies/%2f/{scenario.queue}.full")


async def test_under_a_memory_alarm_publishing_waits_and_consumers_drain_what_is_there(scenario: Scenario) -> None:
    await scenario.processes.start("relay")
    await scenario.enqueue(
        b"not understood"
    )  # its dead letter cannot be published either, and blocks no other message
    await scenario.commit_facts(*range(500))
    await wait_until(scenario.is_outbox_empty, "the queue is filled")
    async with memory_alarm(scenario):
        await scenario.commit_facts(*range(500, 800))
        await scenario.processes.start("consumer")
        await scenario.wait_for_effects(500)
        assert await scenario.audit.count_outbox() > 0
        assert (await scenario.audit.count_deliveries()).effects < 800
    await scenario.assert_exactly_once(dead_letters=1)


async def test_what_a_full_queue_refuses_waits_in_the_outbox(scenario: Scenario) -> None:
    async with max_length_policy(scenario, 100):
        await scenario.processes.start("relay")
        await scenario.commit_facts(*range(300))
        await wait_until(scenario.audit.list_publish_failures, "events are refused")
        ready = await wait_until(scenario.count_ready, "the queue says what it has")
        assert 100 <= ready < 300
        await scenario.processes.start("consumer")
        await scenario.assert_exactly_once()
