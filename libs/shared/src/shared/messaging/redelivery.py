"""Copies of messages for retry queues and dead letter queues, with our own headers about what happened."""

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from shared.messaging.properties import writable_headers

#: Counts how often a dead letter was replayed; the only one of our `x-` headers that a later failure keeps.
REPLAY = "x-replay"
_ATTEMPT = "x-attempt"
_REASON = "x-reason"
_MAX_REASON = 500  # characters


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
