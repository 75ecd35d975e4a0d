"""Copies of messages for retry queues and dead letter queues, with our own headers about what happened."""

import math
from collections.abc import Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

#: Counts how often a dead letter was replayed; the only one of our `x-` headers that a later failure keeps.
REPLAY = "x-replay"
_ATTEMPT = "x-attempt"
_REASON = "x-reason"
_MAX_REASON = 500  # characters
_WIDEST_FLOAT = 3.4e38  # the driver writes floats in four bytes


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
    kept = {
        name: encode_header(value)
        for name, value in message.headers.items()
        if not name.startswith("x-") or name == REPLAY
    }
    return aio_pika.Message(
        message.body,
        headers={**kept, **headers},
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        content_type=message.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def encode_header(value: Any) -> Any:
    """A header value that the driver can write: it reads bytes and wide floats that it refuses to write."""
    if isinstance(value, Mapping):
        return {key: encode_header(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [encode_header(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value) and abs(value) > _WIDEST_FLOAT:
        return repr(value)
    return bytearray(value) if isinstance(value, bytes) else value
