"""The broker's topology: one exchange per producer, and who may hear it. Declared before any service starts."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractQueue

from shared import events
from shared.events import Event

#: Durable queue -> what it hears. A queue is named `<consumer>.<purpose>`.
QUEUES: dict[str, tuple[type[Event], ...]] = {
    "sync.people": (events.UserAuthorized,),
    "ingest.activity": (events.ActivityFetched, events.AthleteListed),
    "leaderboard.people": (events.UserAuthorized,),
    "leaderboard.activity": (events.ActivityRecorded, events.ActivityRevised, events.ActivityRemoved),
}

#: Waits before an unexpected error is tried again, by step, in milliseconds.
RETRY_STEPS = {"10s": 10_000, "1m": 60_000, "10m": 600_000}

ARCHIVE = "ev.archive"


def exchange_name(producer: str) -> str:
    """The topic exchange of a producing service."""
    return f"ev.{producer}"


def dead_letter_queue(queue: str) -> str:
    """Where messages of `queue` wait for a person."""
    return f"{queue}.dlq"


def retry_queue(queue: str, step: str) -> str:
    """Where messages of `queue` wait before they are tried again."""
    return f"{queue}.retry.{step}"


async def declare(
    url: str,
    queues: Mapping[str, Sequence[type[Event]]] = QUEUES,
    retry_steps: Mapping[str, int] = RETRY_STEPS,
) -> None:
    """Declare everything; calling it again changes nothing. Works on RabbitMQ 3.10 and on 4.x."""
    async with await aio_pika.connect(url, timeout=10) as connection:
        channel = await connection.channel()
        archive = await _durable(channel, ARCHIVE, "stream", {"x-max-age": "7D"})
        producers = {event.producer for heard in [events.EVENTS, *queues.values()] for event in heard}
        for producer in sorted(producers):
            exchange = await channel.declare_exchange(
                exchange_name(producer), aio_pika.ExchangeType.TOPIC, durable=True
            )
            await archive.bind(exchange, routing_key="#")
        for name, heard in queues.items():
            queue = await _declare_with_letters(channel, name, retry_steps)
            for event in heard:
                await queue.bind(exchange_name(event.producer), routing_key=event.routing_key())


async def _declare_with_letters(channel: AbstractChannel, name: str, retry_steps: Mapping[str, int]) -> AbstractQueue:
    await _durable(channel, dead_letter_queue(name), "quorum")
    for step, ttl_ms in retry_steps.items():
        # At least once: by default a move that meets a node without a leader loses the message.
        careful: dict[str, str | int] = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        await _durable(
            channel,
            retry_queue(name, step),
            "quorum",
            {"x-message-ttl": ttl_ms, **careful, **_dead_letters_to(name)},
        )
    # 4.x gives up on a message after 20 deliveries that crashed its consumer: without an address it would be lost.
    return await _durable(channel, name, "quorum", _dead_letters_to(dead_letter_queue(name)))


def _dead_letters_to(queue: str) -> dict[str, str | int]:
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}


async def _durable(
    channel: AbstractChannel, name: str, kind: str, arguments: dict[str, str | int] | None = None
) -> AbstractQueue:
    return await channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind, **(arguments or {})})


def main() -> None:
    """`python -m shared.topology AMQP_URL`."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m shared.topology AMQP_URL")
    try:
        asyncio.run(declare(sys.argv[1]))
    except (OSError, aio_pika.exceptions.AMQPError) as error:
        raise SystemExit(f"cannot declare the topology: {type(error).__name__}: is the broker up?") from None


if __name__ == "__main__":
    main()
