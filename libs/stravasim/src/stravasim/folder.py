"""Reads a folder of athletes, one JSON file each, keeping every activity exactly as it is written."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from stravasim.activities import Entry, start_of
from stravasim.webhooks import is_private

MAX_ID = 2**63 - 1
_ID = re.compile(r"[1-9][0-9]{0,18}")
_BLANK = re.compile(r"[ \t\r\n]*")


class BrokenFolderError(Exception):
    """A data folder that cannot be served. The text is one line naming the file and, if any, the entry."""


def athlete_files(folder: Path) -> dict[int, Path]:
    """Athlete id to file, by ascending id. Only `*.json` files count; hidden ones do not.

    Raises BrokenFolderError when the folder cannot be read, has no such file, or a name is not an id.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.is_dir())
    except OSError as error:
        raise BrokenFolderError(f"cannot read the folder {folder}: {error.strerror}") from error
    files: dict[int, Path] = {}
    for name in names:
        if name.startswith(".") or not name.endswith(".json"):
            continue
        stem = name.removesuffix(".json")
        if _ID.fullmatch(stem) is None or int(stem) > MAX_ID:
            raise BrokenFolderError(f"{folder / name}: the name must be an athlete id, such as 12345.json")
        files[int(stem)] = folder / name
    if not files:
        raise BrokenFolderError(f"the folder {folder} has no athletes: expected files such as 12345.json")
    return dict(sorted(files.items()))


def is_id(value: object) -> TypeGuard[int]:
    """Whether an activity can have that id: an integer from 1 to `MAX_ID`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ID


def read_entries(path: Path) -> Iterator[Entry]:
    """The activities of one file, in its order.

    The text between the commas is kept, so numbers are served as written and unknown fields unchanged.
    Raises BrokenFolderError, naming the entry by its place from 1, when the file is not a JSON list of
    objects that each have an integer `id` from 1 to 2**63-1.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BrokenFolderError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BrokenFolderError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    number = 0
    for number, (value, body) in enumerate(_items(text, path), start=1):
        yield _entry(value, body, f"{path}, entry {number}")


def _entry(value: object, body: str, where: str) -> Entry:
    if not isinstance(value, dict):
        raise BrokenFolderError(f"{where}: must be an object, not {_kind(value)}")
    if "id" not in value:
        raise BrokenFolderError(f"{where}: has no id")
    activity_id = value["id"]
    if not is_id(activity_id):
        raise BrokenFolderError(f"{where}: id must be an integer from 1 to {MAX_ID}")
    return Entry(start_of(value), activity_id, is_private(value), body.encode())


def _items(text: str, path: Path) -> Iterator[tuple[object, str]]:
    """Each element of the list with its own text."""
    position = _skip(text, 0)
    if text[position : position + 1] != "[":
        _parse(text, position, f"{path}")
        raise BrokenFolderError(f"{path}: must be a list of activities")
    position, number = _skip(text, position + 1), 0
    closed = text[position : position + 1] == "]"
    while not closed:
        number += 1
        where = f"{path}, entry {number}"
        value, end = _parse(text, position, where)
        yield value, text[position:end]
        position = _skip(text, end)
        mark = text[position : position + 1]
        if mark not in {",", "]"}:
            raise BrokenFolderError(f"{where}: malformed JSON: expected ',' or ']' after it")
        closed = mark == "]"
        position = position if closed else _skip(text, position + 1)
    if _skip(text, position + 1) != len(text):
        raise BrokenFolderError(f"{path}: malformed JSON: text after the end of the list")


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _parse(text: str, position: int, where: str) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise BrokenFolderError(
            f"{where}: malformed JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BrokenFolderError(f"{where}: malformed JSON: {error}") from error


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names[type(value)]
