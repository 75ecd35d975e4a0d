"""Decoding received messages, any field of which may be missing or of another type, and encoding for terminals."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import aio_pika
from aiormq.abc import DeliveredMessage

from shared.contracts.envelope import find_attribute, find_time
from shared.messaging.properties import writable_headers
from shared.messaging.redelivery import REPLAY

RawMessage: TypeAlias = DeliveredMessage
BodyEncoding: TypeAlias = Literal["json", "text", "base64"]

_TYPE_PREFIX = "gruppetto."
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def headers(raw: RawMessage) -> Mapping[str, Any]:
    """The headers; empty if there are none."""
    return raw.header.properties.headers or {}


def attribute(raw: RawMessage, name: str) -> Any:
    """A CloudEvents attribute; None if there is none."""
    return find_attribute(headers(raw), name)


def to_text(value: Any) -> str:
    """The value as text; empty for None."""
    if value is None:
        return ""
    value = to_json_value(value)
    return value if isinstance(value, str) else as_json(value)


def to_count(value: Any) -> int:
    """The value as a count; 0 if it is none."""
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else 0


def event_type(raw: RawMessage) -> str:
    """The CloudEvents type, else the property `type`, which is all that some producers set."""
    return to_text(attribute(raw, "type") or raw.header.properties.message_type)


def short_type(kind: str) -> str:
    """The type without the prefix `gruppetto.`."""
    return kind.removeprefix(_TYPE_PREFIX)


def is_of_type(kind: str, wanted: str) -> bool:
    """Whether `wanted`, such as `activity.recorded`, with or without prefix and version, names this type."""
    wanted, short = short_type(wanted), short_type(kind)
    return wanted in (short, re.sub(r"\.v\d+$", "", short))


def occurred_at(raw: RawMessage) -> datetime | None:
    """When the event occurred; None if the message does not tell."""
    return find_time(headers(raw)) or raw.header.properties.timestamp


def message_id(raw: RawMessage) -> str:
    """The message id, or one derived from the content if it has none."""
    return raw.header.properties.message_id or _derived_id(raw)


def _derived_id(raw: RawMessage) -> str:
    # Headers about its failures (x-) change while the message stays the same.
    said = {key: to_json_value(value) for key, value in headers(raw).items() if not key.startswith("x-")}
    digest = hashlib.sha256(json.dumps([event_type(raw), said], sort_keys=True).encode())
    digest.update(raw.body)
    return str(UUID(bytes=digest.digest()[:16], version=5))


def copy_for_replay(raw: RawMessage) -> aio_pika.Message:
    """A copy for another attempt: the same message without the headers about its failures."""
    properties = raw.header.properties
    kept = writable_headers({key: value for key, value in headers(raw).items() if not key.startswith("x-")})
    return aio_pika.Message(
        raw.body,
        headers={**kept, REPLAY: to_count(headers(raw).get(REPLAY)) + 1},
        # The client library would invent a random one, and a second replay would be another message.
        message_id=message_id(raw),
        type=properties.message_type,
        timestamp=properties.timestamp,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        app_id=properties.app_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def to_json_value(value: Any) -> Any:
    """A header's value in JSON types: dates in ISO 8601, bytes as text or as {"base64": …}."""
    if isinstance(value, dict):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json_value(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        content, encoding = _unpacked(bytes(value))
        return content if encoding == "text" else {encoding: content}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def decode_body(raw: RawMessage) -> tuple[Any, BodyEncoding]:
    """The body and its encoding: parsed JSON, else text, else base64."""
    try:
        value = json.loads(raw.body, parse_constant=_refuse)
        as_json(value)  # what cannot be written again is no JSON for us: infinite numbers, abysmal nesting
    except (ValueError, RecursionError):
        return _unpacked(raw.body)
    return value, "json"


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _unpacked(content: bytes) -> tuple[str, BodyEncoding]:
    try:
        return content.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(content).decode(), "base64"


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON with control characters escaped, so that a terminal does not interpret them."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return "\n".join(_NOT_PLAIN.sub(_json_escape, line) for line in written.split("\n"))


def _json_escape(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def escape_control(value: str) -> str:
    """One line of text with control characters escaped, so that a terminal does not interpret them."""
    return _NOT_PLAIN.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else found[0].encode("unicode_escape", "surrogatepass").decode()
