"""Keeps many athletes' activities within a bound of memory: what was not asked for lately is compressed."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from stravasim.activities import ActivityLog, Entry, log_of

MOST_BYTES = 750_000_000
_LEVEL = 1  # a sixth of the size; higher levels cost more than they save


class Shelf:
    """Logs by athlete; one that was never put here is made when it is first asked for.

    `most_bytes` bounds all that is held: first the logs that were not asked for lately are compressed, then the
    oldest of those are let go, to be made again when they are wanted. What was put here is never let go.
    """

    def __init__(self, make: Callable[[int], Iterable[Entry]], most_bytes: int = MOST_BYTES) -> None:
        self._make = make
        self._most_bytes = most_bytes
        self._ready: OrderedDict[int, ActivityLog] = OrderedDict()
        self._packed: dict[int, ActivityLog] = {}  # by the time of packing; the text is compressed
        self._changed: set[int] = set()
        self._held = 0

    def get(self, athlete_id: int) -> ActivityLog:
        """The athlete's log."""
        log = self._ready.get(athlete_id)
        if log is not None:
            self._ready.move_to_end(athlete_id)
            return log
        packed = self._packed.get(athlete_id)
        log = log_of(self._make(athlete_id)) if packed is None else _unpacked(packed)
        self._keep(athlete_id, log)
        return log

    def put(self, athlete_id: int, log: ActivityLog) -> None:
        """Keep this log from now on."""
        self._changed.add(athlete_id)
        self._keep(athlete_id, log)

    def _keep(self, athlete_id: int, log: ActivityLog) -> None:
        for place in (self._ready, self._packed):
            before = place.pop(athlete_id, None)
            self._held -= 0 if before is None else before.size
        self._held += log.size
        self._ready[athlete_id] = log
        while self._held > self._most_bytes and self._makes_room():
            pass

    def _makes_room(self) -> bool:
        if len(self._ready) > 1:
            athlete_id, log = self._ready.popitem(last=False)
            packed = replace(log, text=zlib.compress(log.text, _LEVEL))
            self._packed[athlete_id] = packed
            self._held += packed.size - log.size
            return True
        forgettable = next((one for one in self._packed if one not in self._changed), None)
        if forgettable is not None:
            self._held -= self._packed.pop(forgettable).size
        return forgettable is not None


def _unpacked(log: ActivityLog) -> ActivityLog:
    return replace(log, text=zlib.decompress(log.text))
