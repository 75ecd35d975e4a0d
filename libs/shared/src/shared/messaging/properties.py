"""Message properties that the driver cannot read or write: their own message is marked, and the connection goes on.

AMQP carries times after the year 9999, header names that are not UTF-8 and tables nested as deep as a frame is long.
The driver raises on them while it reads a frame, and then every message of that connection is delivered again.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pamqp import encode
from pamqp.commands import Basic

#: The header that stands for those that were left out; its value says why.
UNREADABLE = "unreadable-properties"
_MAX_DEPTH = 20
_MAX_WRITTEN_BYTES = 120_000  # all properties have to fit into one frame, of 131,072 bytes
_WIDEST_FLOAT = 3.4e38  # the driver writes floats in four bytes

_unmarshal = Basic.Properties.unmarshal


def tolerate_unreadable_properties() -> None:
    """Have the driver read such messages without their properties; may be called again."""
    setattr(Basic.Properties, "unmarshal", _unmarshal_or_mark)  # noqa: B010 the driver has no other way in


def _unmarshal_or_mark(properties: Basic.Properties, flags: int, data: bytes) -> None:
    if not (fault := _decode(properties, flags, data)):
        return
    for name in properties.__slots__:
        setattr(properties, name, None)
    properties.headers = {UNREADABLE: fault}


def _decode(properties: Basic.Properties, flags: int, data: bytes) -> str:
    """Decode them and return what is wrong with them, or nothing."""
    try:
        _unmarshal(properties, flags, data)
    except (ValueError, ArithmeticError, OSError, RecursionError) as error:
        return type(error).__name__
    return "nested too deep" if _is_deeper(properties.headers, _MAX_DEPTH) else ""


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether tables and lists are nested deeper than that."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for each in layer
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return False
    return True


def writable_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """A received message's headers as a copy can have them, which leaves room for headers about its failures."""
    writable = {name: _writable(value) for name, value in headers.items()}
    if len(encode.field_table(writable)) > _MAX_WRITTEN_BYTES:
        return {UNREADABLE: f"longer than {_MAX_WRITTEN_BYTES} bytes"}
    return writable


def _writable(value: Any) -> Any:
    """The value, or its text if the driver reads it and refuses to write it: wide floats, decimals."""
    if isinstance(value, Mapping):
        return {key: _writable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_writable(inner) for inner in value]
    if isinstance(value, Decimal) or (
        isinstance(value, float) and math.isfinite(value) and abs(value) > _WIDEST_FLOAT
    ):
        return str(value)
    return bytearray(value) if isinstance(value, bytes) else value
