"""What a raw message says: nothing in it is trusted to be there, or to be of the type that it should have."""

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

Raw: TypeAlias = DeliveredMessage
BodyEncoding: TypeAlias = Literal["json", "text", "base64"]

_TYPE_PREFIX = "gruppetto."
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def headers(raw: Raw) -> Mapping[str, Any]:
    """Its headers, whatever they are."""
    return raw.header.properties.headers or {}


def attribute(raw: Raw, name: str) -> Any:
    """A CloudEvents attribute, in either of the two spellings."""
    return find_attribute(headers(raw), name)


def text(value: Any) -> str:
    """A value as one piece of text; none is the empty text."""
    if value is None:
        return ""
    value = plain(value)
    return value if isinstance(value, str) else as_json(value)


def count(value: Any) -> int:
    """A header that counts; whatever is no count is 0."""
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else 0


def event_type(raw: Raw) -> str:
    """The CloudEvents type; else the property, because a foreign producer may know only that."""
    return text(attribute(raw, "type") or raw.header.properties.message_type)


def short_type(kind: str) -> str:
    """Without the prefix that all of ours have."""
    return kind.removeprefix(_TYPE_PREFIX)


def is_of_type(kind: str, wanted: str) -> bool:
    """Whether somebody who says `activity.recorded`, with or without prefix and version, means this type."""
    wanted, short = short_type(wanted), short_type(kind)
    return wanted in (short, re.sub(r"\.v\d+$", "", short))


def time(raw: Raw) -> datetime | None:
    """When the event occurred, as far as the message tells."""
    return find_time(headers(raw)) or raw.header.properties.timestamp


def message_id(raw: Raw) -> str:
    """Its own id, or one derived from what it says, so that it can be named all the same."""
    return raw.header.properties.message_id or _derived_id(raw)


def _derived_id(raw: Raw) -> str:
    # The broker's and our own notes (x-) change while the message is what it was.
    said = {key: plain(value) for key, value in headers(raw).items() if not key.startswith("x-")}
    digest = hashlib.sha256(json.dumps([event_type(raw), said], sort_keys=True).encode())
    digest.update(raw.body)
    return str(UUID(bytes=digest.digest()[:16], version=5))


def again(raw: Raw) -> aio_pika.Message:
    """A copy for one more try: the same message, without the notes about its failures."""
    properties = raw.header.properties
    kept = writable_headers({key: value for key, value in headers(raw).items() if not key.startswith("x-")})
    return aio_pika.Message(
        raw.body,
        headers={**kept, REPLAY: count(headers(raw).get(REPLAY)) + 1},
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


def plain(value: Any) -> Any:
    """A header's value as JSON knows it: dates in ISO 8601, bytes as text or as {"base64": …}."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        content, encoding = _unpacked(bytes(value))
        return content if encoding == "text" else {encoding: content}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def body(raw: Raw) -> tuple[Any, BodyEncoding]:
    """The body and how it is given: parsed JSON, else text, else base64."""
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
    """JSON that no terminal takes for a command: what is not printable is escaped."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return "\n".join(_NOT_PLAIN.sub(_json_escape, line) for line in written.split("\n"))


def _json_escape(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def printable(value: str) -> str:
    """One line of text that no terminal takes for a command."""
    return _NOT_PLAIN.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else found[0].encode("unicode_escape", "surrogatepass").decode()
