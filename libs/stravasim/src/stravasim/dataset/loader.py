"""Loads a dataset from a folder with one JSON file per athlete."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from stravasim.dataset.athletes import build_athlete
from stravasim.dataset.dataset import Dataset
from stravasim.strava.listing import MAX_ID, ActivityEntry, build_entry, is_activity_id

MAX_FILE_BYTES = 64_000_000  # about 50,000 activities; a parsed file takes several times its size
_ID = re.compile(r"[1-9][0-9]{0,18}")


class InvalidDatasetError(Exception):
    """A data folder that cannot be served. The text is one line naming the file and, if known, the entry."""


def load_dataset(folder: Path) -> Dataset:
    """The dataset in a folder: one `<athlete_id>.json` per athlete, each a list of SummaryActivity objects.

    Only `id` is required of an activity, unique across the folder. Keys, their order and values are served as in the
    file. Raises InvalidDatasetError.
    """
    histories: dict[int, list[ActivityEntry]] = {}
    seen: dict[int, str] = {}
    for athlete_id, file in _list_files(folder).items():
        histories[athlete_id] = []
        for number, entry in enumerate(_read_entries(file), start=1):
            if entry.id in seen:
                raise InvalidDatasetError(
                    f"{file}, entry {number}: id {entry.id} is already used by {seen[entry.id]}"
                )
            seen[entry.id] = f"{file.name}, entry {number}"
            histories[athlete_id].append(entry)
    athletes = {athlete_id: build_athlete("folder", index, athlete_id) for index, athlete_id in enumerate(histories)}
    return Dataset(athletes, lambda athlete: histories[athlete.athlete_id], used_ids=seen)


def _list_files(folder: Path) -> dict[int, Path]:
    """File by athlete id, in ascending order. Only `*.json` files count, hidden ones do not."""
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.is_dir())
    except OSError as error:
        raise InvalidDatasetError(f"cannot read the folder {folder}: {error.strerror}") from error
    files: dict[int, Path] = {}
    for name in names:
        if name.startswith(".") or not name.endswith(".json"):
            continue
        stem = name.removesuffix(".json")
        if _ID.fullmatch(stem) is None or int(stem) > MAX_ID:
            raise InvalidDatasetError(f"{folder / name}: the name must be an athlete id, such as 12345.json")
        files[int(stem)] = folder / name
    if not files:
        raise InvalidDatasetError(f"the folder {folder} has no athletes: expected files such as 12345.json")
    return dict(sorted(files.items()))


def _read_entries(path: Path) -> Iterator[ActivityEntry]:
    activities = _parse(path)
    if not isinstance(activities, list):
        raise InvalidDatasetError(f"{path}: must be a list of activities")
    for number, activity in enumerate(activities, start=1):
        where = f"{path}, entry {number}"
        if not isinstance(activity, dict):
            raise InvalidDatasetError(f"{where}: must be an object")
        if not is_activity_id(activity.get("id")):
            raise InvalidDatasetError(f"{where}: id must be an integer from 1 to {MAX_ID}")
        try:
            yield build_entry(activity)
        except ValueError as error:  # half of a surrogate pair, or a number beyond the range of a double
            raise InvalidDatasetError(f"{where}: cannot be written as JSON: {error}") from error


def _parse(path: Path) -> object:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidDatasetError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
        value: object = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_reject_constant)
    except OSError as error:
        raise InvalidDatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidDatasetError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise InvalidDatasetError(f"{path}: malformed JSON: {error}") from error
    return value


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")
