"""Decoding messages into events; nothing in a message is trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from shared.contracts.envelope import find_attribute, find_time
from shared.contracts.events import Event
from shared.messaging.properties import UNREADABLE
from shared.observability.tracing import trace_headers


class InvalidMessage(Exception):
    """The message cannot be decoded, now or later; the text says why, without the payload."""


@dataclass(frozen=True)
class Delivery:
    """One decoded message; `time` is when the event occurred, `trace` the W3C trace headers."""

    message_id: UUID
    event: Event
    time: datetime | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


def decode_delivery(message: AbstractIncomingMessage, events: Iterable[type[Event]]) -> Delivery:
    """Decode a message as one of the events. Raises InvalidMessage for another type or a broken contract."""
    if UNREADABLE in message.headers:
        raise InvalidMessage("its properties cannot be read")
    known = {event.event_type(): event for event in events}
    event_type = str(find_attribute(message.headers, "type") or message.type)
    if event_type not in known:
        raise InvalidMessage(f"type {event_type[:100]} is not handled here")
    try:
        return Delivery(
            UUID(str(message.message_id)),
            known[event_type].model_validate_json(message.body),
            find_time(message.headers),
            trace_headers(message.headers),
        )
    except ValidationError as error:
        fields = ", ".join(".".join(str(p) for p in e["loc"]) + f" ({e['type']})" for e in error.errors())
        raise InvalidMessage(f"{event_type} breaks its contract: {fields}") from None
    except ValueError:
        raise InvalidMessage(f"{event_type} has no usable message id") from None
