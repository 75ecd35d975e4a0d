"""The club: its athletes and their activities, generated from a seed or read from a folder."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from stravasim.activities import ActivityLog, Entry, start_of
from stravasim.details import ONLY_IN_DETAIL
from stravasim.dice import Dice
from stravasim.folder import MAX_ID, BrokenFolderError, athlete_files, is_id, read_entries
from stravasim.members import Member, athlete_ids, member_of
from stravasim.planning import Plan, plans_for
from stravasim.shelf import Shelf
from stravasim.summary import summary_of
from stravasim.webhooks import is_private

__all__ = ["BrokenFolderError", "Club", "generate_club", "load_folder"]

WARSAW = ZoneInfo("Europe/Warsaw")
FIRST_DAY = date(2020, 1, 1)
# Strava stood near 2.97e9 at the start of 2020 and near 16.2e9 in October 2025: about 70 new ids a second.
_FIRST_ID = 2_970_000_000
_IDS_PER_MINUTE = 4_200
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_FIRST_MINUTE = int(datetime.combine(FIRST_DAY, time.min, UTC).timestamp()) // 60


class Club:
    """Athletes by id, in a fixed order, and their activities, which are made when first asked for."""

    def __init__(
        self,
        members: Mapping[int, Member],
        make: Callable[[Member], Iterable[Entry]],
        *,
        taken: Iterable[int] = (),
        owner_of: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        """`taken` are ids in use; of ids that `make` will use, `owner_of` says to whom they would belong."""
        self.members = members
        self._shelf = Shelf(lambda athlete_id: make(members[athlete_id]))
        self._taken = set(taken)
        self._details: dict[int, dict[str, object]] = {}
        self._owner_of = owner_of

    def log(self, athlete_id: int) -> ActivityLog:
        """All activities of an athlete; KeyError for an id outside the club."""
        return self._shelf.get(athlete_id)

    def activity(self, athlete_id: int, activity_id: int) -> dict[str, object] | None:
        """One activity of an athlete, with what only its detail tells; None when there is none with that id."""
        entry = self.log(athlete_id).find(activity_id)
        return None if entry is None else json.loads(entry.body) | self._details.get(activity_id, {})

    def add(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """Give an athlete one more activity, which must carry an `id` that `is_free`."""
        entry = self._entry(activity)
        self._shelf.put(athlete_id, self.log(athlete_id).plus(entry))
        self._taken.add(entry.id)

    def change(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """Put this in the place of the activity with the same id."""
        entry = self._entry(activity)
        self._shelf.put(athlete_id, self.log(athlete_id).without(entry.id).plus(entry))

    def remove(self, athlete_id: int, activity_id: int) -> None:
        """Delete an activity; its id is never used again."""
        self._shelf.put(athlete_id, self.log(athlete_id).without(activity_id))
        self._taken.add(activity_id)
        self._details.pop(activity_id, None)

    def is_free(self, activity_id: int) -> bool:
        """Whether no activity of the club has or had that id."""
        if activity_id in self._taken:
            return False
        owner = self._owner_of(activity_id)
        return owner is None or self.log(owner).find(activity_id) is None

    def _entry(self, activity: Mapping[str, object]) -> Entry:
        entry = entry_of({key: value for key, value in activity.items() if key not in ONLY_IN_DETAIL})
        told = {key: value for key, value in activity.items() if key in ONLY_IN_DETAIL}
        if told:
            self._details[entry.id] = told
        return entry

    def next_id(self, athlete_id: int, uploaded: datetime) -> int:
        """A free id for an upload at that moment: later uploads have higher ids, as on Strava."""
        taken = self._taken.union(self.log(athlete_id).ids)
        return _id_for(uploaded, self.members[athlete_id].index, len(self.members), taken)


def generate_club(*, athletes: int, days: int, seed: int, until: date, now: datetime) -> Club:
    """A club of that many athletes who have trained for `days` local days, the last of which is `until`.

    The same seed gives the same people, and the same activities on the same days, whatever `until` and
    `days` are: a club started again tomorrow has today's past. What would be uploaded after `now` (or after
    the end of `until`, Europe/Warsaw) is left out. Raises ValueError when the days leave 2020 to `now`.
    """
    first = until - timedelta(days=days - 1) if days <= (until - FIRST_DAY).days + 1 else None
    if first is None:
        raise ValueError(f"the club's first day must not be before {FIRST_DAY}")
    if until > now.astimezone(WARSAW).date():
        raise ValueError(f"the club's last day, {until}, must not be in the future")
    calendar = [first + timedelta(days=number) for number in range(days)]
    cutoff = min(now, datetime.combine(until + timedelta(days=1), time.min, WARSAW).astimezone(UTC))
    members = {
        athlete_id: member_of(str(seed), index, athlete_id)
        for index, athlete_id in enumerate(athlete_ids(seed, athletes))
    }

    def history(member: Member) -> Iterable[Entry]:
        plans = (plan for day in calendar for plan in plans_for(member, day) if plan.uploaded <= cutoff)
        return _entries(member, plans, athletes)

    ids = tuple(members)
    step = _ids_per_minute(athletes)

    def owner_of(activity_id: int) -> int | None:
        index = (activity_id - _FIRST_ID) % step
        return ids[index] if activity_id >= _FIRST_ID and index < len(ids) else None

    return Club(members, history, owner_of=owner_of)


def load_folder(path: Path) -> Club:
    """The club in a folder: one `<athlete_id>.json` per athlete, each a list of SummaryActivity objects.

    Only `id` is required of an activity, unique across the folder. Everything is served exactly as written.
    Raises BrokenFolderError whose text is one line naming the file and the entry.
    """
    histories: dict[int, list[Entry]] = {}
    seen: dict[int, str] = {}
    for athlete_id, file in athlete_files(path).items():
        histories[athlete_id] = []
        for number, entry in enumerate(read_entries(file), start=1):
            where = f"{file}, entry {number}"
            if entry.id in seen:
                raise BrokenFolderError(f"{where}: id {entry.id} is already used by {seen[entry.id]}")
            seen[entry.id] = f"{file.name}, entry {number}"
            histories[athlete_id].append(entry)
    members = {athlete_id: member_of("folder", index, athlete_id) for index, athlete_id in enumerate(histories)}
    return Club(members, lambda member: histories[member.athlete_id], taken=seen)


def entry_of(activity: Mapping[str, object]) -> Entry:
    """A SummaryActivity with its JSON written once, ready to be listed."""
    activity_id = activity["id"]
    if not is_id(activity_id):
        raise ValueError(f"id must be an integer from 1 to {MAX_ID}")
    return Entry(start_of(activity), activity_id, is_private(activity), _ENCODER.encode(activity).encode())


def _entries(member: Member, plans: Iterable[Plan], athletes: int) -> Iterable[Entry]:
    taken: set[int] = set()
    for plan in plans:
        activity_id = _id_for(plan.uploaded, member.index, athletes, taken)
        taken.add(activity_id)
        dice = Dice(f"{member.seed}:{plan.start}:{plan.device}")
        yield entry_of(summary_of(plan, member, activity_id, dice))


def _id_for(uploaded: datetime, index: int, athletes: int, taken: set[int]) -> int:
    # Each athlete owns one remainder, so ids never meet and nobody's history depends on anyone else's.
    step = _ids_per_minute(athletes)
    minute = max(0, int(uploaded.timestamp()) // 60 - _FIRST_MINUTE)
    activity_id = _FIRST_ID + minute * step + index
    while activity_id in taken:
        activity_id += step
    return activity_id


def _ids_per_minute(athletes: int) -> int:
    return max(_IDS_PER_MINUTE, athletes)
