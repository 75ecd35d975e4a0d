"""A message that cannot be handled stops no other message, and is never lost."""

from uuid import uuid4

import pytest
from fault_schedule import TIMEOUT_S
from scenario import SHORT_STEPS, Scenario
from workload import NumberedEvent

from shared.contracts.queues import RETRY_STEPS
from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)

INVALID_BODY = b'{"number": "many"}'


async def test_poison_amid_a_batch_is_set_aside_alone_and_with_its_reason(scenario: Scenario) -> None:
    valid = await scenario.commit_facts(*range(100), emitted=False)
    failing = scenario.event_types["batched"](number=-1)
    events: list[NumberedEvent | bytes] = [*valid[:30], INVALID_BODY, *valid[30:60], failing, *valid[60:]]
    await scenario.enqueue_all([(event, uuid4()) for event in events])
    await scenario.processes.start("consumer")
    [dead_letter], [retry] = await scenario.assert_exactly_once(dead_letters=1, retries=1)
    assert dead_letter.body == INVALID_BODY
    assert "breaks its contract: number (int_parsing)" in str(dead_letter.headers["x-reason"])
    assert retry.body == failing.model_dump_json().encode()
    assert (retry.routing_key, retry.headers["x-attempt"]) == (scenario.retry_queues[0], 1)


async def test_what_fails_every_time_ends_in_the_dead_letters_while_others_flow(scenario: Scenario) -> None:
    await scenario.declare_topology(SHORT_STEPS)
    await scenario.enqueue(scenario.event_types["batched"](number=-1))
    await scenario.processes.start("consumer")
    await scenario.enqueue_all(
        [(event, uuid4()) for event in await scenario.commit_facts(*range(100), emitted=False)]
    )
    await wait_until(lambda: scenario.count_ready(scenario.dead_letter_queue), "a dead letter")
    [dead_letter], _ = await scenario.assert_exactly_once(dead_letters=1)
    assert dead_letter.headers["x-reason"] == f"DBAPIError after {len(RETRY_STEPS) + 1} attempts"


async def test_poison_waits_while_its_dead_letter_queue_is_missing(scenario: Scenario) -> None:
    async with scenario.channel() as channel:
        await channel.queue_delete(scenario.dead_letter_queue, if_unused=False, if_empty=False)
    await scenario.enqueue(INVALID_BODY)
    consumer = await scenario.processes.start("consumer")
    await scenario.enqueue_all([(event, uuid4()) for event in await scenario.commit_facts(*range(50), emitted=False)])
    await scenario.wait_for_effects(50)
    output = scenario.servers.supervisor.processes[consumer].last_lines
    await wait_until(lambda: sum("cannot copy a message yet" in line for line in output) > 1, "two failed copies")
    assert await scenario.count_ready() == 0
    await scenario.processes.kill(consumer)
    await wait_until(scenario.count_ready, "the message is back")
    [message] = await scenario.peek(scenario.queue)
    assert message.headers.get("x-delivery-count", 0) <= 1, "it was requeued again and again"
    await scenario.processes.start("consumer")
    await scenario.enqueue_all(
        [(event, uuid4()) for event in await scenario.commit_facts(*range(50, 100), emitted=False)]
    )
    await scenario.wait_for_effects(100)
    await scenario.declare_topology()
    await wait_until(lambda: scenario.count_ready(scenario.dead_letter_queue), "the dead letter")
    await scenario.assert_exactly_once(dead_letters=1)
