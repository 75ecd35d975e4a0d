"""Saying why activities count or do not, with the arithmetic: pure, without a clock, without IO."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from leaderboard.activities.rules import Activity, get_span
from leaderboard.challenges.rules import PointsRule
from leaderboard.standings.rules.scoring import Counted, Judgement, Reason, sum_points

SENTENCES: Mapping[Reason, str] = {
    Reason.OUTSIDE_THE_DATES: "It did not take place on a day of the challenge.",
    Reason.OTHER_SPORT: "This sport does not count on this board.",
    Reason.EXCLUDED_BY_ORGANISER: "An organiser excluded it.",
    Reason.EXCLUDED_BY_PARTICIPANT: "You excluded it.",
    Reason.FLAGGED: "Strava has flagged it.",
    Reason.PRIVATE: "Only you can see it on Strava, and you have not chosen that such activities count.",
    Reason.INDOOR: "It took place indoors, which does not count here.",
    Reason.MANUAL: "It was entered by hand, which does not count here.",
    Reason.COMMUTE: "It is a commute, which does not count here.",
    Reason.DUPLICATE: "It took place at the same time as another activity that counts in its place.",
}
OVERLAPS_SHOWN = 10  # of each activity


@dataclass(frozen=True)
class DayOfPoints:
    """How the points of a day come about: what counts, at most the cap, and the bonus."""

    day: date
    counted: Decimal
    daily_cap: Decimal | None
    bonus: Decimal
    points: Decimal


def explain_points(
    rule: PointsRule, activities: Collection[Activity], judgements: Mapping[int, Judgement]
) -> list[DayOfPoints]:
    """The points of each day on which something counts by that rule, in order."""
    values: dict[date, list[Decimal]] = {}
    for activity in activities:
        judgement = judgements[activity.strava_id]
        if isinstance(judgement, Counted):
            values.setdefault(activity.day, []).append(judgement.value)
    return [
        DayOfPoints(day, sum(own, Decimal(0)), rule.daily_cap, rule.active_day_bonus, sum_points(rule, own))
        for day, own in sorted(values.items())
    ]


def find_overlaps(activities: Collection[Activity]) -> dict[int, list[int]]:
    """Which activities share more time than is tolerated, by Strava id: of each at most OVERLAPS_SHOWN others."""
    spans = sorted(
        (span, activity.strava_id)
        for activity in activities
        if (span := get_span(activity.start_at, activity.local_start, activity.elapsed_time_s))
    )
    found: dict[int, list[int]] = {activity.strava_id: [] for activity in activities}
    for place, ((_, end), strava_id) in enumerate(spans):
        for (start, _), other in spans[place + 1 : place + 1 + OVERLAPS_SHOWN]:
            if start >= end:
                break
            found[strava_id].append(other)
            found[other].append(strava_id)
    return {strava_id: others[:OVERLAPS_SHOWN] for strava_id, others in found.items()}
