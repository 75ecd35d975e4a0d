"""An operator's desk: how dead letters and archived events get there, and what to look at."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import aio_pika
import httpx
from aio_pika.abc import AbstractIncomingMessage
from click.testing import Result

from testkit.consumer_queue import ConsumerQueue

REASON = "ValueError after 4 attempts"
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
HEADERS = {
    "cloudEvents_subject": "7",
    "cloudEvents_time": "2026-09-30T10:00:00+00:00",
    "traceparent": "00-a-b-01",
}

Gruppetto: TypeAlias = Callable[..., Awaitable[Result]]


async def put_dead_letters(queue: ConsumerQueue, *take_numbers: int, reason: str = REASON, **properties: Any) -> None:
    """Put an event for each number among the dead letters, as a consumer does."""
    headers = HEADERS | {"cloudEvents_type": queue.event.event_type(), "x-reason": reason}
    for number in take_numbers:
        message = aio_pika.Message(
            json.dumps({"number": number}).encode(), **{"headers": headers, "message_id": str(uuid4()), **properties}
        )
        await queue.channel.default_exchange.publish(message, queue.dead_letters)


async def put_raw_dead_letter(
    queue: ConsumerQueue, management_url: str, body: bytes, properties: dict[str, Any]
) -> None:
    """Put a message there that no client library of ours would send."""
    async with httpx.AsyncClient(base_url=management_url) as management:
        answer = await management.post(
            "/api/exchanges/%2f/amq.default/publish",
            json={
                "properties": properties,
                "routing_key": queue.dead_letters,
                "payload": base64.b64encode(body).decode(),
                "payload_encoding": "base64",
            },
        )
    assert answer.json() == {"routed": True}


async def take_all(queue: ConsumerQueue, name: str) -> list[AbstractIncomingMessage]:
    """All messages of a queue in their order, removed."""
    declared = await queue.channel.get_queue(name)
    taken = []
    while (message := await declared.get(no_ack=True, fail=False)) is not None:
        taken.append(message)
    return taken


def own_headers(message: AbstractIncomingMessage) -> dict[str, Any]:
    """The headers, except the broker's own."""
    return {key: value for key, value in message.headers.items() if key != "x-delivery-count"}


async def take_numbers(queue: ConsumerQueue, name: str) -> list[int]:
    return [json.loads(message.body)["number"] for message in await take_all(queue, name)]


async def has_dead_letters(queue: ConsumerQueue, number: int) -> bool:
    return await queue.count(queue.dead_letters) == number


async def listing(gruppetto: Gruppetto, *words: str) -> list[dict[str, Any]]:
    done = await gruppetto("dead-letters", "list", "--json", *words)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def emit(
    queue: ConsumerQueue, *take_numbers: int, hours: float = 0, exchange: str | None = None, **properties: Any
) -> None:
    """Publish an event for each number, `hours` after NOW, as a relay does."""
    target = await queue.channel.get_exchange(queue.exchange if exchange is None else exchange, ensure=False)
    for number in take_numbers:
        headers = {
            "cloudEvents_type": queue.event.event_type(),
            "cloudEvents_subject": f"{queue.event.producer}-{number}",
            "cloudEvents_time": (NOW + timedelta(hours=hours)).isoformat(),
            "cloudEvents_source": f"/{queue.event.producer}",
            "traceparent": "00-a-b-01",
        }
        body = queue.event(number=number).model_dump_json().encode()
        message = aio_pika.Message(body, **{"headers": headers, "message_id": str(uuid4()), **properties})
        await target.publish(message, queue.event.routing_key())
