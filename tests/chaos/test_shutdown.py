"""SIGTERM under load: messages in progress are finished, the others stay in the queue unchanged."""

import asyncio

import pytest
from fault_schedule import TIMEOUT_S
from scenario import Scenario

from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)

BACKLOG = 300
STOP_TIMEOUT_S = 20.0


async def test_a_service_that_is_told_to_end_leaves_its_queue_untouched_and_in_order(scenario: Scenario) -> None:
    await scenario.processes.start("service", work_s=0.03, batch=20)  # slower than the producer in it

    async def has_backlog() -> bool:
        return await scenario.count_ready() >= BACKLOG and (await scenario.audit.count_deliveries()).effects > 0

    await wait_until(has_backlog, "a backlog")
    async with asyncio.timeout(STOP_TIMEOUT_S):
        await scenario.processes.stop("service")
    assert scenario.processes.failed_exits == {}

    async def is_each_in_one_place() -> bool:
        counts, outbox = await scenario.audit.count_deliveries(), await scenario.audit.count_outbox()
        return counts.effects + await scenario.count_ready() + outbox == counts.committed

    # What the service had and did not handle is back in the queue a moment after its connection has ended.
    await wait_until(is_each_in_one_place, "all that was handled is acknowledged, and nothing else")
    remaining = await scenario.peek(scenario.queue)
    counts, outbox = await scenario.audit.count_deliveries(), await scenario.audit.count_outbox()
    assert counts.effects + len(remaining) + outbox == counts.committed
    assert {message.headers.get("x-delivery-count", 0) for message in remaining} == {0}
    numbers = [int(str(message.headers["cloudEvents_subject"])) for message in remaining]
    assert numbers == sorted(numbers)

    await scenario.processes.start("service", rate=0)
    await scenario.wait_for_effects(counts.committed)
    await scenario.assert_exactly_once()
