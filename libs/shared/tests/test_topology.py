"""The broker's topology, declared on a real broker."""

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from rig import Broker

from shared.events import EVENTS
from shared.topology import ARCHIVE, QUEUES, RETRY_STEPS, dead_letter_queue, declare, exchange_name, retry_queue


async def test_declaring_twice_changes_nothing(rabbitmq_url: str, management_url: str) -> None:
    await declare(rabbitmq_url, management_url)
    await declare(rabbitmq_url, management_url)


async def test_every_queue_has_its_dead_letters_and_retries(
    rabbitmq_url: str, management_url: str, broker: Broker
) -> None:
    await declare(rabbitmq_url, management_url)
    for queue in [*QUEUES, broker.queue]:
        for name in [queue, dead_letter_queue(queue), *(retry_queue(queue, step) for step in RETRY_STEPS)]:
            await broker.channel.declare_queue(name, passive=True)


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


async def _publish(channel: AbstractChannel, exchange: str, routing_key: str) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    await target.publish(aio_pika.Message(b"{}"), routing_key, mandatory=True)


async def test_what_waits_for_a_retry_comes_back_to_its_queue(
    rabbitmq_url: str, management_url: str, broker: Broker
) -> None:
    queue = f"{broker.queue}.quick"
    steps = {"10s": 1}
    broker.extra += [queue, dead_letter_queue(queue), retry_queue(queue, "10s")]
    await declare(rabbitmq_url, management_url, {queue: ()}, steps)
    sent = aio_pika.Message(b"again", message_id="m", headers={"x-attempt": 1})
    await broker.channel.default_exchange.publish(sent, retry_queue(queue, "10s"))
    back = await broker.take(queue)
    assert (back.body, back.message_id, back.headers["x-attempt"]) == (b"again", "m", 1)


async def test_a_rejected_message_goes_to_the_dead_letters_and_is_not_lost(broker: Broker) -> None:
    await broker.put(1)
    message = await (await broker.channel.get_queue(broker.queue)).get()
    assert message is not None
    await message.reject(requeue=False)
    assert (await broker.take(broker.letters)).body == b'{"number":1}'
