"""The athletes and their activities."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from stravasim.dataset.activity_detail import DETAIL_ONLY
from stravasim.dataset.activity_ids import next_activity_id
from stravasim.dataset.athletes import Athlete
from stravasim.dataset.cache import ActivityCache
from stravasim.strava.listing import ActivityEntry, ActivityIndex, build_entry


class Dataset:
    """Athletes by id, in a fixed order, and their activities, which are built on first access."""

    def __init__(
        self,
        athletes: Mapping[int, Athlete],
        build: Callable[[Athlete], Iterable[ActivityEntry]],
        *,
        used_ids: Iterable[int] = (),
        find_owner: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        """`used_ids` are activity ids in use; `find_owner` is the athlete for whom `build` could generate an id."""
        self.athletes = athletes
        self._cache = ActivityCache(lambda athlete_id: build(athletes[athlete_id]))
        self._used_ids = set(used_ids)
        self._details: dict[int, dict[str, object]] = {}
        self._find_owner = find_owner

    def get_index(self, athlete_id: int) -> ActivityIndex:
        """All activities of an athlete; KeyError for an unknown athlete."""
        return self._cache.get(athlete_id)

    def find_activity(self, athlete_id: int, activity_id: int) -> dict[str, object] | None:
        """One activity of an athlete, with the keys that only its detail has; None without one."""
        entry = self.get_index(athlete_id).find(activity_id)
        return None if entry is None else json.loads(entry.body) | self._details.get(activity_id, {})

    def add_activity(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """Add an activity, whose `id` must be free; ValueError when it is no id or the activity is not JSON."""
        entry = self._split(activity)
        self._cache.put(athlete_id, self.get_index(athlete_id).with_entry(entry))
        self._used_ids.add(entry.id)

    def update_activity(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """Replace the activity with the same id; ValueError when the new one is not JSON."""
        entry = self._split(activity)
        self._cache.put(athlete_id, self.get_index(athlete_id).without(entry.id).with_entry(entry))

    def delete_activity(self, athlete_id: int, activity_id: int) -> None:
        """Delete an activity; its id is never reused."""
        self._cache.put(athlete_id, self.get_index(athlete_id).without(activity_id))
        self._used_ids.add(activity_id)
        self._details.pop(activity_id, None)

    def is_id_free(self, activity_id: int) -> bool:
        """Whether no activity of the dataset has or had that id."""
        if activity_id in self._used_ids:
            return False
        owner = self._find_owner(activity_id)
        return owner is None or self.get_index(owner).find(activity_id) is None

    def next_id(self, athlete_id: int, uploaded: datetime) -> int:
        """A free id for an upload at that time: later uploads have higher ids, as on Strava."""
        used = self._used_ids.union(self.get_index(athlete_id).ids)
        return next_activity_id(uploaded, self.athletes[athlete_id].index, len(self.athletes), used)

    def _split(self, activity: Mapping[str, object]) -> ActivityEntry:
        entry = build_entry({key: value for key, value in activity.items() if key not in DETAIL_ONLY})
        detail = {key: value for key, value in activity.items() if key in DETAIL_ONLY}
        if detail:
            build_entry({"id": entry.id, **detail})  # raises, before anything has changed
            self._details[entry.id] = detail
        return entry
