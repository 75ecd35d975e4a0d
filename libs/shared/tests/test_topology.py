"""The broker's topology, declared on a real broker."""

from typing import Any

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel

from shared.contracts.events import EVENTS
from shared.contracts.queues import ARCHIVE, QUEUES, RETRY_STEPS, dead_letter_queue, exchange_name, retry_queue
from shared.messaging import topology
from shared.messaging.topology import Declared, TopologyError, declare
from testkit.consumer_queue import ConsumerQueue


async def test_declaring_twice_changes_nothing(rabbitmq_url: str, management_url: str) -> None:
    await declare(rabbitmq_url, management_url)
    before = await _everything(management_url)
    assert {each["name"] for each in before["queues"]} >= {*QUEUES, ARCHIVE}
    declared = await declare(rabbitmq_url, management_url)
    assert await _everything(management_url) == before
    assert declared == Declared(new_queues=(), archive_is_new=False)


async def _everything(management_url: str) -> dict[str, Any]:
    """What the broker would export of its topology, in one order."""
    async with httpx.AsyncClient(base_url=management_url) as client:
        exported = (await client.get("/api/definitions")).json()
    return {kind: sorted(exported[kind], key=repr) for kind in ("exchanges", "queues", "bindings", "policies")}


async def test_new_queues_are_named_because_events_have_gone_past_them(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue
) -> None:
    heard = {queue.name: (queue.event,), f"{queue.name}.second": (queue.event,)}
    second = f"{queue.name}.second"
    queue.extra += [second, dead_letter_queue(second), *(retry_queue(second, step) for step in RETRY_STEPS)]
    assert (await declare(rabbitmq_url, management_url, heard)).new_queues == (second,)
    await queue.channel.queue_delete(queue.name, if_unused=False, if_empty=False)
    assert await declare(rabbitmq_url, management_url, heard) == Declared((queue.name,), archive_is_new=False)


async def test_every_queue_has_its_dead_letters_and_retries(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue
) -> None:
    await declare(rabbitmq_url, management_url)
    for consumed in [*QUEUES, queue.name]:
        for name in [consumed, dead_letter_queue(consumed), *(retry_queue(consumed, step) for step in RETRY_STEPS)]:
            await queue.channel.declare_queue(name, passive=True)


async def test_whatever_is_emitted_is_routable_because_the_archive_hears_everything(
    rabbitmq_url: str, management_url: str
) -> None:
    await declare(rabbitmq_url, management_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        for event in EVENTS:
            await _publish(channel, exchange_name(event.producer), event.routing_key())
        with pytest.raises(aio_pika.exceptions.PublishError):
            await _publish(channel, "", "nobody.hears.this")
        assert (await channel.declare_queue(ARCHIVE, passive=True)).declaration_result is not None


async def test_a_limit_can_be_changed_while_the_queue_exists(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "_DELIVERY_LIMIT", 7)
    await declare(rabbitmq_url, management_url, {queue.name: (queue.event,)})
    async with httpx.AsyncClient(base_url=management_url) as client:
        policy = (await client.get(f"/api/policies/%2f/{queue.name}")).json()
        queues = (
            await client.get("/api/queues/%2f", params={"columns": "name,policy,arguments", "disable_stats": "true"})
        ).json()
    assert policy["definition"]["delivery-limit"] == 7
    [found] = [each for each in queues if each["name"] == queue.name]
    assert (found["policy"], found["arguments"]) == (queue.name, {"x-queue-type": "quorum"})


async def test_a_policy_that_wins_over_ours_is_named(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue
) -> None:
    policy = {"pattern": f"^{queue.name}$", "definition": {"max-length": 5}, "priority": 99, "apply-to": "queues"}
    async with httpx.AsyncClient(base_url=management_url) as client:
        await client.put("/api/policies/%2f/theirs", json=policy)
        with pytest.raises(TopologyError, match=f"the policy theirs wins over ours on {queue.name}"):
            await declare(rabbitmq_url, management_url, {queue.name: (queue.event,)})
        await client.delete("/api/policies/%2f/theirs")


async def test_a_management_user_who_may_not_is_told_what_is_missing(rabbitmq_url: str, management_url: str) -> None:
    stranger = f"http://nobody:nothing@{management_url.rpartition('@')[2]}"
    with pytest.raises(TopologyError, match="needs the tag policymaker") as caught:
        await declare(rabbitmq_url, stranger)
    assert "nothing" not in str(caught.value)


async def test_a_queue_that_exists_with_other_arguments_is_named(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue
) -> None:
    odd = f"{queue.name}.odd"
    queue.extra.append(odd)
    await queue.channel.declare_queue(odd, durable=True)
    with pytest.raises(TopologyError, match=f"{odd} exists with other arguments"):
        await declare(rabbitmq_url, management_url, {odd: ()}, {})


async def test_a_full_queue_refuses_and_loses_nothing(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "_MAX_LENGTH_BYTES", 20_000)
    await declare(rabbitmq_url, management_url, {queue.name: (queue.event,)})
    exchange = await queue.channel.get_exchange(queue.exchange, ensure=False)
    kept = 0
    refused = False
    while not refused:
        message = aio_pika.Message(b"x" * 1000, delivery_mode=2)
        try:
            await exchange.publish(message, queue.event.routing_key(), mandatory=True)
            kept += 1
        except aio_pika.exceptions.DeliveryError:
            refused = True
    assert kept < 100
    assert await queue.count(queue.name) >= kept


async def _publish(channel: AbstractChannel, exchange: str, routing_key: str) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    await target.publish(aio_pika.Message(b"{}"), routing_key, mandatory=True)


async def test_what_waits_for_a_retry_comes_back_to_its_queue(
    rabbitmq_url: str, management_url: str, queue: ConsumerQueue
) -> None:
    quick = f"{queue.name}.quick"
    steps = {"10s": 1}
    queue.extra += [quick, dead_letter_queue(quick), retry_queue(quick, "10s")]
    await declare(rabbitmq_url, management_url, {quick: ()}, steps)
    sent = aio_pika.Message(b"again", message_id="m", headers={"x-attempt": 1})
    await queue.channel.default_exchange.publish(sent, retry_queue(quick, "10s"))
    back = await queue.take(quick)
    assert (back.body, back.message_id, back.headers["x-attempt"]) == (b"again", "m", 1)


async def test_a_rejected_message_goes_to_the_dead_letters_and_is_not_lost(queue: ConsumerQueue) -> None:
    await queue.put(1)
    message = await (await queue.channel.get_queue(queue.name)).get()
    assert message is not None
    await message.reject(requeue=False)
    assert (await queue.take(queue.dead_letters)).body == b'{"number":1}'
