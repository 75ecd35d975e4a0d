"""What the rules know of an activity, and when two are one outing: pure, without a clock, without IO."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TypeAlias

#: Two recordings of one outing overlap by more than this; two outings in a row may overlap by less.
OVERLAP_TOLERANCE = timedelta(minutes=3)

#: Strava writes this local time when the athlete hides the start; nothing can be said about overlaps then.
HIDDEN_START = time(0, 0, 1)

#: From a start to an end that is earlier than the activity's own by the tolerance.
#: Two activities overlap by more than the tolerance exactly when their spans share time.
Span: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened, and what its owner and the organisers have chosen about it."""

    strava_id: int
    sport_type: str
    start_at: datetime
    local_start: datetime
    distance_m: Decimal
    moving_time_s: int
    elapsed_time_s: int
    elev_gain_m: Decimal
    trainer: bool
    commute: bool
    manual: bool
    flagged: bool
    private: bool = False
    private_allowed: bool = False  # its owner wants private ones to count
    excluded_by_participant: bool = False
    excluded_by_organiser: bool = False
    preferred: bool = False  # to those that it overlaps, by its owner's choice

    @property
    def day(self) -> date:
        """The local day on which it started, by which it counts."""
        return self.local_start.date()

    @cached_property
    def span(self) -> Span | None:
        """Its span; None when it overlaps nothing, whatever else there is."""
        return get_span(self.start_at, self.local_start, self.elapsed_time_s)


def get_span(start_at: datetime, local_start: datetime, elapsed_time_s: int) -> Span | None:
    """The span of an activity; None when it overlaps nothing, whatever else there is."""
    end = start_at + timedelta(seconds=elapsed_time_s) - OVERLAP_TOLERANCE
    return None if end <= start_at or local_start.time() == HIDDEN_START else (start_at, end)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Spans that share no time and cover the same, in order."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
