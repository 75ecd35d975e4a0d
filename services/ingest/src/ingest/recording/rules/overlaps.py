"""Which activities of one user took place at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Two recordings of one outing overlap by more than this; two outings in a row may overlap by less.
TOLERANCE_S = 180
#: Of all that have a start, an activity is compared with so many before it and after it. Who has hundreds at one time
#: must not cost more than others; a week that was recorded in one go overlaps three outings a day.
NEIGHBOURS = 25


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An activity on record that can overlap: its start is not hidden, and it lasts longer than TOLERANCE_S.

    `overlaps_with` are those that are stored.
    """

    strava_id: int
    start_at: datetime
    elapsed_time_s: int
    overlaps_with: tuple[int, ...] = ()


def can_overlap(start_is_hidden: bool, elapsed_time_s: int) -> bool:
    """Whether an activity on record overlaps any other at all."""
    return not start_is_hidden and elapsed_time_s > TOLERANCE_S


def find_changed_overlaps(
    before: Sequence[Interval], here: Interval | None, after: Sequence[Interval]
) -> dict[int, tuple[int, ...]]:
    """Activity -> what it overlaps, for those near a change that have something else stored.

    `before` and `after` are up to twice NEIGHBOURS in the order of start and id, `here` is what is between them now.
    Two overlap if they share more than TOLERANCE_S and no more than NEIGHBOURS - 1 start between them.
    """
    ordered = [*before, *([] if here is None else [here]), *after]
    first = max(0, len(before) - NEIGHBOURS)
    last = min(len(ordered), len(ordered) - len(after) + NEIGHBOURS)
    changed = {}
    for at in range(first, last):
        one = ordered[at]
        near = ordered[max(0, at - NEIGHBOURS) : at] + ordered[at + 1 : at + 1 + NEIGHBOURS]
        found = tuple(sorted(other.strava_id for other in near if _overlap(one, other)))
        if found != one.overlaps_with:
            changed[one.strava_id] = found
    return changed


def _overlap(one: Interval, other: Interval) -> bool:
    end = min(_end(one), _end(other))
    return end - max(one.start_at, other.start_at) > timedelta(seconds=TOLERANCE_S)


def _end(one: Interval) -> datetime:
    return one.start_at + timedelta(seconds=one.elapsed_time_s)
