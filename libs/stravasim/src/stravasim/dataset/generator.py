"""Generates a dataset from a seed."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from stravasim.dataset.activity_ids import FIRST_DAY, next_activity_id, owner_index
from stravasim.dataset.activity_summary import build_summary
from stravasim.dataset.athletes import HOME_ZONE, Athlete, build_athlete, generate_athlete_ids
from stravasim.dataset.dataset import Dataset
from stravasim.dataset.rng import SeededRandom
from stravasim.dataset.workouts import generate_workouts
from stravasim.strava.listing import ActivityEntry, build_entry


def generate_dataset(*, athletes: int, days: int, seed: int, until: date, now: datetime) -> Dataset:
    """That many athletes with `days` local days of training, the last of which is `until`.

    The same seed gives the same athletes, and the same activities on the same days, regardless of `until` and
    `days`: a simulator restarted tomorrow has today's history. Activities uploaded after `now` (or after the end
    of `until`, Europe/Warsaw) are left out. Raises ValueError when the days are not within 2020 to `now`.
    """
    first = until - timedelta(days=days - 1) if days <= (until - FIRST_DAY).days + 1 else None
    if first is None:
        raise ValueError(f"the first day of the dataset must not be before {FIRST_DAY}")
    if until > now.astimezone(HOME_ZONE).date():
        raise ValueError(f"the last day of the dataset, {until}, must not be in the future")
    calendar = [first + timedelta(days=number) for number in range(days)]
    cutoff = min(now, datetime.combine(until + timedelta(days=1), time.min, HOME_ZONE).astimezone(UTC))
    by_id = {
        athlete_id: build_athlete(str(seed), index, athlete_id)
        for index, athlete_id in enumerate(generate_athlete_ids(seed, athletes))
    }
    ids = tuple(by_id)

    def find_owner(activity_id: int) -> int | None:
        index = owner_index(activity_id, athletes)
        return None if index is None else ids[index]

    return Dataset(by_id, lambda athlete: _history(athlete, calendar, cutoff, athletes), find_owner=find_owner)


def _history(athlete: Athlete, calendar: Iterable[date], cutoff: datetime, athletes: int) -> Iterable[ActivityEntry]:
    used: set[int] = set()
    for day in calendar:
        for workout in generate_workouts(athlete, day):
            if workout.uploaded > cutoff:
                continue
            activity_id = next_activity_id(workout.uploaded, athlete.index, athletes, used)
            used.add(activity_id)
            rng = SeededRandom(f"{athlete.seed}:{workout.start}:{workout.device}")
            yield build_entry(build_summary(workout, athlete, activity_id, rng))
