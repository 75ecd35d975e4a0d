"""Copies of messages for retry queues and dead letter queues, with our own headers about what happened."""

import asyncio

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage

from shared.contracts.queues import dead_letter_queue
from shared.messaging.properties import writable_headers
from shared.messaging.publisher import BROKER_ERRORS, Publisher
from shared.observability import metrics

COPY_RETRY_INTERVAL_S = 1.0

#: Counts how often a dead letter was replayed; the only one of our `x-` headers that a later failure keeps.
REPLAY = "x-replay"
_ATTEMPT = "x-attempt"
_REASON = "x-reason"
_MAX_REASON = 500  # characters

log = structlog.stdlib.get_logger(__name__)


def to_dead_letter(message: AbstractIncomingMessage, reason: str) -> aio_pika.Message:
    """A copy for the dead letter queue, with the reason that a person will read."""
    return _copy(message, {_REASON: reason[:_MAX_REASON]})


def to_retry(message: AbstractIncomingMessage, attempt: int, error: Exception) -> aio_pika.Message:
    """A copy for a retry queue; `attempt` counts from 1."""
    return _copy(message, {_ATTEMPT: attempt, _REASON: type(error).__name__})


def retry_attempt(message: AbstractIncomingMessage) -> int:
    """How often the message was retried; in our own header, because RabbitMQ 4 ignores x-death on copies."""
    value = message.headers.get(_ATTEMPT, 0)
    return max(value, 0) if isinstance(value, int) else 0


async def publish_copy(publisher: Publisher, queue: str, copy: aio_pika.Message) -> None:
    """Publish a copy to that queue and wait for its confirmation, as long as the broker is unreachable."""
    while True:
        try:
            return await publisher.publish(copy, "", queue)
        except BROKER_ERRORS as error:
            log.warning("cannot copy a message yet", queue=queue, error=type(error).__name__)
            await asyncio.sleep(COPY_RETRY_INTERVAL_S)


async def dead_letter_invalid(
    publisher: Publisher, queue: str, message: AbstractIncomingMessage, reason: str
) -> None:
    """Copy a message of `queue` that cannot be decoded to the dead letters."""
    log.warning("dead letter", queue=queue, message_id=message.message_id, reason=reason)
    await publish_copy(publisher, dead_letter_queue(queue), to_dead_letter(message, reason))
    metrics.DEAD_LETTERS.labels(queue, "invalid").inc()


def _copy(message: AbstractIncomingMessage, headers: dict[str, str | int]) -> aio_pika.Message:
    kept = {name: value for name, value in message.headers.items() if not name.startswith("x-") or name == REPLAY}
    return aio_pika.Message(
        message.body,
        headers={**writable_headers(kept), **headers},
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        content_type=message.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
