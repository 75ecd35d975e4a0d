"""The CloudEvents 1.0 envelope in AMQP headers, binary mode: its one encoder and its one decoder."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.contracts.events import Event

#: The binding allows both separators; we write the first one.
_PREFIXES = ("cloudEvents_", "cloudEvents:")


def encode_attributes(event: Event, event_id: UUID, occurred_at: datetime) -> dict[str, str]:
    """The headers of an event's message."""
    return {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(event_id),
        "cloudEvents_source": f"/{event.producer}",
        "cloudEvents_type": event.event_type(),
        "cloudEvents_subject": event.subject,
        "cloudEvents_time": occurred_at.isoformat(),
    }


def find_attribute(headers: Mapping[str, Any], name: str) -> Any:
    """An attribute as the message has it, None when it has none; a foreign producer may send any type."""
    return next((headers[prefix + name] for prefix in _PREFIXES if prefix + name in headers), None)


def find_time(headers: Mapping[str, Any]) -> datetime | None:
    """When the event occurred, in UTC, which a time without a zone is taken for; None when it is not readable."""
    value = find_attribute(headers, "time")
    try:
        time = datetime.fromisoformat(value.decode() if isinstance(value, bytes) else str(value))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        return None
