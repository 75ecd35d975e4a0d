"""Keeps many athletes' activities within a bound of memory: what was not asked for lately is compressed."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stravasim.activities import ActivityLog, Entry, log_of

HOT_BYTES = 400_000_000
_LEVEL = 1  # an eighth of the size; higher levels cost more than they save


@dataclass(frozen=True, slots=True)
class _Packed:
    """A log whose bodies are one compressed text: start, id, privacy and length of each."""

    index: tuple[tuple[int, int, bool, int], ...]
    bodies: bytes

    def unpacked(self) -> ActivityLog:
        whole, at, entries = zlib.decompress(self.bodies), 0, []
        for start, activity_id, only_me, length in self.index:
            entries.append(Entry(start, activity_id, only_me, whole[at : at + length]))
            at += length
        return log_of(entries)


def _packed(log: ActivityLog) -> _Packed:
    index = tuple((entry.start, entry.id, entry.only_me, len(entry.body)) for entry in log.entries)
    return _Packed(index, zlib.compress(b"".join(entry.body for entry in log.entries), _LEVEL))


class Shelf:
    """Logs by athlete; one that was never put here is made when it is first asked for."""

    def __init__(self, make: Callable[[int], Iterable[Entry]], hot_bytes: int = HOT_BYTES) -> None:
        self._make = make
        self._hot_bytes = hot_bytes
        self._hot: OrderedDict[int, ActivityLog] = OrderedDict()
        self._packed: dict[int, _Packed] = {}
        self._held = 0

    def get(self, athlete_id: int) -> ActivityLog:
        """The athlete's log."""
        log = self._hot.get(athlete_id)
        if log is not None:
            self._hot.move_to_end(athlete_id)
            return log
        packed = self._packed.pop(athlete_id, None)
        log = packed.unpacked() if packed is not None else log_of(self._make(athlete_id))
        self.put(athlete_id, log)
        return log

    def put(self, athlete_id: int, log: ActivityLog) -> None:
        """Keep this log from now on."""
        before = self._hot.pop(athlete_id, None)
        self._packed.pop(athlete_id, None)
        self._held += log.size - (before.size if before else 0)
        self._hot[athlete_id] = log
        while self._held > self._hot_bytes and len(self._hot) > 1:
            oldest, cooled = self._hot.popitem(last=False)
            self._held -= cooled.size
            self._packed[oldest] = _packed(cooled)
