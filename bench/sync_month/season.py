"""A month of a club: what its athletes do at Strava and when, and the fewest calls that could find it out in time."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

FRESHNESS = timedelta(minutes=10)
ACTIVITIES_A_WEEK = 4.5  # on average; a few do two, some do ten
LATE = 0.06  # share of uploads that come a day to five days after the activity
DELETED = 0.02
EDITED = 0.04  # the type; Strava tells of it
RENAMED = 0.25  # Strava tells of it, and nothing depends on it
HIDDEN = 0.02  # and shown again by half of those, some days later
CROPPED = 0.01  # Strava does not tell of it

Kind: TypeAlias = Literal["upload", "delete", "edit", "rename", "hide", "show", "crop"]


@dataclass(frozen=True, order=True)
class Action:
    """What an athlete does to their activity of that number at a time."""

    at: datetime
    athlete: int
    number: int
    kind: Kind
    start: datetime

    @property
    def is_news(self) -> bool:
        """Whether Strava tells of it and a board may depend on it."""
        return self.kind in ("upload", "delete", "edit", "hide", "show")


def plan_season(athletes: Sequence[int], begin: datetime, days: int, seed: int) -> list[Action]:
    """What everybody does, in the order of time."""
    rng = random.Random(f"{seed}:season")  # noqa: S311 - a simulation
    actions: list[Action] = []
    number = 0
    for athlete in athletes:
        per_day = rng.gammavariate(2.0, ACTIVITIES_A_WEEK / 7 / 2.0)
        for day in range(days):
            for _ in range(min(3, _poisson(rng, per_day))):
                number += 1
                start = begin + timedelta(days=day, hours=rng.triangular(4, 20, 16))
                actions += _life(rng, athlete, number, start, begin + timedelta(days=days))
    return sorted(actions)


def _poisson(rng: random.Random, mean: float) -> int:
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1.0)
    return count


def _life(rng: random.Random, athlete: int, number: int, start: datetime, end: datetime) -> Iterable[Action]:
    delay_h = rng.uniform(24, 120) if rng.random() < LATE else rng.uniform(0.5, 3)
    uploaded = start + timedelta(hours=delay_h)

    def act(kind: Kind, at: datetime) -> list[Action]:
        return [Action(at, athlete, number, kind, start)] if at < end else []

    actions = act("upload", uploaded)
    soon = uploaded + timedelta(minutes=rng.expovariate(1 / 8))
    later = uploaded + timedelta(hours=rng.expovariate(1 / 20))
    if rng.random() < RENAMED:
        actions += act("rename", soon)
    draw = rng.random()
    if draw < EDITED:
        actions += act("edit", soon if rng.random() < 0.5 else later)
    elif draw < EDITED + HIDDEN:
        actions += act("hide", later)
        if rng.random() < 0.5:
            actions += act("show", later + timedelta(days=rng.uniform(0.1, 4)))
    elif draw < EDITED + HIDDEN + CROPPED:
        actions += act("crop", later)
    elif draw < EDITED + HIDDEN + CROPPED + DELETED:
        actions += act("delete", later)
    return actions


def lower_bound(actions: Iterable[Action], athletes: Iterable[int]) -> int:
    """The fewest calls: one for each athlete at first, and one for all news of an athlete that are within FRESHNESS.

    A call finds whatever is new of its athlete, and every news has to be found within FRESHNESS.
    """
    by_athlete = defaultdict(list)
    for action in actions:
        if action.is_news:
            by_athlete[action.athlete].append(action.at)
    calls = len(list(athletes))
    for moments in by_athlete.values():
        covered_until = None
        for moment in sorted(moments):
            if covered_until is None or moment > covered_until:
                calls, covered_until = calls + 1, moment + FRESHNESS
    return calls
