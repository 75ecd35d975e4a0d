"""Bounds the memory of many athletes' activities: the least recently used are compressed, then evicted."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from stravasim.strava.listing import ActivityEntry, ActivityIndex, build_index

MAX_BYTES = 750_000_000
_LEVEL = 1  # compresses to a sixth; higher levels cost more time than they save memory


class ActivityCache:
    """Indexes by athlete, built on first access.

    `max_bytes` bounds the total: first the least recently used indexes are compressed, then the oldest of those are
    evicted, to be built again on access. An index that was `put` is never evicted.
    """

    def __init__(self, build: Callable[[int], Iterable[ActivityEntry]], max_bytes: int = MAX_BYTES) -> None:
        self._build = build
        self._max_bytes = max_bytes
        self._recent: OrderedDict[int, ActivityIndex] = OrderedDict()
        self._compressed: dict[int, ActivityIndex] = {}  # in the order of compression
        self._modified: set[int] = set()
        self._total = 0

    def get(self, athlete_id: int) -> ActivityIndex:
        """The athlete's index."""
        index = self._recent.get(athlete_id)
        if index is not None:
            self._recent.move_to_end(athlete_id)
            return index
        compressed = self._compressed.get(athlete_id)
        index = build_index(self._build(athlete_id)) if compressed is None else _decompress(compressed)
        self._store(athlete_id, index)
        return index

    def put(self, athlete_id: int, index: ActivityIndex) -> None:
        """Replace the athlete's index for good."""
        self._modified.add(athlete_id)
        self._store(athlete_id, index)

    def _store(self, athlete_id: int, index: ActivityIndex) -> None:
        for tier in (self._recent, self._compressed):
            before = tier.pop(athlete_id, None)
            self._total -= 0 if before is None else before.size
        self._total += index.size
        self._recent[athlete_id] = index
        while self._total > self._max_bytes and self._shrink():
            pass

    def _shrink(self) -> bool:
        """Compress or evict one index; False when nothing is left to do."""
        if len(self._recent) > 1:
            athlete_id, index = self._recent.popitem(last=False)
            compressed = replace(index, text=zlib.compress(index.text, _LEVEL))
            self._compressed[athlete_id] = compressed
            self._total += compressed.size - index.size
            return True
        evictable = next((one for one in self._compressed if one not in self._modified), None)
        if evictable is not None:
            self._total -= self._compressed.pop(evictable).size
        return evictable is not None


def _decompress(index: ActivityIndex) -> ActivityIndex:
    return replace(index, text=zlib.decompress(index.text))
