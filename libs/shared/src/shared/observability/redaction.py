"""Redaction: removes secrets from what is about to be logged, in time linear in its bounded size."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

REDACTED = "[redacted]"
CUT = "[cut]"
MAX_TEXT = 8_192  # characters of one text
MAX_ITEMS = 100  # of one collection
MAX_DEPTH = 8  # of nested collections

_NAME = r"token|secret|authorization|passw(?:or)?d|passphrase|cookie|credential|api_?key|private_?key|e_?mail"
_SECRET_KEY = re.compile(rf"{_NAME}|^code$|^state$", re.IGNORECASE)
_VALUE = r"""[^\s&"',;]++"""
# Up to the quote that closes it: escaped as often as the one that opened it, and not once more. More escapes than
# six levels of quoting need are not counted: all that follows goes.
_QUOTED = r"""(?:(?P<escape>\\{0,63}+)(?P<quote>["'])(?:(?!(?<!\\)(?P=escape)(?P=quote))[\s\S])*+|\\{64,}+[\s\S]*+)"""
# Linear because no two starts of one pattern read the same characters: each begins where a run of word characters or
# of an address begins, or at a fixed word, and what it has read is never read again with another length.
_SECRET_SHAPES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(\b(?:Bearer|Basic)\s++){_VALUE}",
        # In a query, a dict or JSON, however often that is quoted.
        rf"""((?<![\w.-])(?=[\w.-]*?(?:{_NAME}))[\w.-]++\\*+["']?\s*+(?:[=:]|%3D)\s*+)(?:{_QUOTED}|{_VALUE})""",
        # OAuth's; elsewhere they are plain words.
        rf"""((?:\b|%3F|%26)(?:code|state)(?:=|%3D)){_VALUE}""",
        rf"""(\b(?:code|state)\\*+["']\s*+:\s*+){_QUOTED}""",
        # The password in an address.
        r"(?<![^\s@])(?=[^\s@]++@)([^\s@]*?://[^:/\s@]*+:)[^\s@]++",
        r"(DETAIL:\s++).*+",  # Postgres shows the row that it refused
        r"()(?<![0-9a-f])[0-9a-f]{40,}+",
    )
]


def redact(value: Any, depth: int = 0) -> Any:
    """The value without secrets, found by key and by shape; what is too long, too many or too deep is cut first."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth == MAX_DEPTH:
        return CUT
    if isinstance(value, Mapping):
        pairs = {
            redact_text(str(key)): REDACTED if _SECRET_KEY.search(str(key)[:MAX_TEXT]) else redact(item, depth + 1)
            for key, item in islice(value.items(), MAX_ITEMS)
        }
        return pairs if len(value) <= MAX_ITEMS else pairs | {CUT: len(value) - MAX_ITEMS}
    if isinstance(value, list | tuple | set | frozenset):
        items = [redact(item, depth + 1) for item in islice(value, MAX_ITEMS)]
        return items if len(value) <= MAX_ITEMS else [*items, CUT]
    # Whatever else it is, the renderer would turn it into text, secrets included.
    if isinstance(value, bytes):
        return redact_text(repr(value[: MAX_TEXT + 1]))
    return redact_text(repr(value) if isinstance(value, BaseException) else str(value))


def redact_text(text: str) -> str:
    """The text without secrets, cut to MAX_TEXT characters."""
    return mask(text) if len(text) <= MAX_TEXT else f"{mask(_cut(text))} {CUT}"


def mask(text: str) -> str:
    """The text with everything that looks like a secret replaced, in time linear in its length."""
    for shape in _SECRET_SHAPES:
        text = shape.sub(rf"\g<1>{REDACTED}", text)
    return text


def _cut(text: str) -> str:
    """The beginning, without its last word: half a secret does not look like one."""
    return "".join(text[:MAX_TEXT].rsplit(None, 1)[:-1])
