"""The rules of the challenge: what counts, what is a duplicate, who is where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.stack import expected_activities, expected_standings
from leaderboard.activities.queries import FACTS
from leaderboard.activities.rules import Activity
from leaderboard.challenges.rules import (
    DEFAULT_BOARDS,
    Board,
    Challenge,
    Metric,
    PointsRule,
    choose_current,
    month_bounds,
)
from leaderboard.standings.rules.ranking import rank
from leaderboard.standings.rules.scoring import Counted, Judgement, NotCounted, Reason, Totals, judge, sum_days
from shared.contracts.events import ActivityState
from shared.contracts.leaderboard_api import BoardMetric

MAY = Challenge(date(2026, 5, 1), date(2026, 5, 31))
RUNNING, CYCLING = DEFAULT_BOARDS


def activity(strava_id: int = 1, start: str = "2026-05-10T08:00:00", **fields: Any) -> Activity:
    local = datetime.fromisoformat(start)
    usual: dict[str, Any] = {
        "sport_type": "Run",
        "start_at": (local - timedelta(hours=2)).replace(tzinfo=UTC),
        "local_start": local,
        "distance_m": Decimal("10000.00"),
        "moving_time_s": 3000,
        "elapsed_time_s": 3600,
        "elev_gain_m": Decimal("50.00"),
        "trainer": False,
        "flagged": False,
        "commute": False,
        "manual": False,
    }
    return Activity(strava_id=strava_id, **{**usual, **fields})


def sum_counted(own: Sequence[Activity], judged: dict[int, Judgement], board: Board = RUNNING) -> Totals:
    return sum(sum_days(board, own, judged).values(), Totals())


def reason(one: Activity, challenge: Challenge = MAY, board: Board = RUNNING) -> Reason | None:
    judgement = judge(challenge, board, [one])[one.strava_id]
    return judgement.reason if isinstance(judgement, NotCounted) else None


def counted(activities: Sequence[Activity], board: Board = RUNNING, challenge: Challenge = MAY) -> set[int]:
    return {key for key, one in judge(challenge, board, activities).items() if isinstance(one, Counted)}


@pytest.mark.parametrize(
    ("start", "counts"),
    [
        ("2026-04-30T23:59:59", False),
        ("2026-05-01T00:00:00", True),
        ("2026-05-31T23:59:59", True),
        ("2026-06-01T00:00:00", False),
    ],
)
def test_the_local_day_of_the_start_decides(start: str, counts: bool) -> None:
    assert reason(activity(start=start)) == (None if counts else Reason.OUTSIDE_THE_DATES)


@pytest.mark.parametrize(
    ("fields", "challenge", "why"),
    [
        ({"sport_type": "Run"}, MAY, None),
        ({"sport_type": "TrailRun"}, MAY, None),
        ({"sport_type": "Ride"}, MAY, Reason.OTHER_SPORT),
        ({"sport_type": "VirtualRun"}, MAY, Reason.OTHER_SPORT),
        ({"sport_type": "run"}, MAY, Reason.OTHER_SPORT),
        ({"trainer": True}, MAY, Reason.INDOOR),
        ({"flagged": True}, MAY, Reason.FLAGGED),
        ({"trainer": True}, Challenge(MAY.first_day, MAY.last_day, counts_trainer=True), None),
        ({"manual": True}, MAY, None),
        ({"manual": True}, Challenge(MAY.first_day, MAY.last_day, counts_manual=False), Reason.MANUAL),
        ({"commute": True}, MAY, None),
        ({"commute": True}, Challenge(MAY.first_day, MAY.last_day, counts_commute=False), Reason.COMMUTE),
        ({"distance_m": Decimal(0)}, MAY, None),
    ],
)
def test_what_counts_has_no_reason_against_it(
    fields: dict[str, Any], challenge: Challenge, why: Reason | None
) -> None:
    assert reason(activity(**fields), challenge) == why


@pytest.mark.parametrize(
    ("second_start", "fields", "are_duplicates"),
    [
        ("2026-05-10T08:30:00", {}, True),
        ("2026-05-10T08:56:59", {}, True),
        ("2026-05-10T08:57:00", {}, False),  # three minutes are tolerated
        ("2026-05-10T09:00:00", {}, False),
        ("2026-05-10T08:10:00", {"elapsed_time_s": 180}, False),
        ("2026-05-10T08:10:00", {"elapsed_time_s": 181}, True),
        ("2026-05-10T08:10:00", {"elapsed_time_s": 0}, False),
        ("2026-05-10T08:10:00", {"local_start": datetime(2026, 5, 10, 0, 0, 1)}, False),  # noqa: DTZ001
        ("2026-05-10T08:10:00", {"sport_type": "Ride"}, False),
        ("2026-05-10T08:10:00", {"trainer": True}, False),
    ],
)
def test_recordings_that_overlap_by_more_than_three_minutes_are_one_outing(
    second_start: str, fields: dict[str, Any], are_duplicates: bool
) -> None:
    judged = judge(MAY, RUNNING, [activity(1), activity(2, second_start, distance_m=Decimal(9000), **fields)])
    assert judged[1] == Counted(Decimal(10000))
    assert (judged[2] == NotCounted(Reason.DUPLICATE, 1)) is are_duplicates


def test_of_duplicates_the_longest_counts_then_the_one_that_moved_longest_then_the_first() -> None:
    longer = activity(3, distance_m=Decimal(10001))
    moved = activity(2, moving_time_s=3001)
    assert counted([activity(1), moved, longer]) == {3}
    assert counted([activity(1), moved]) == {2}
    assert counted([activity(5), activity(1)]) == {1}


def test_two_that_only_meet_in_a_duplicate_both_count() -> None:
    first, last = activity(1), activity(3, "2026-05-10T09:30:00", distance_m=Decimal(9000))
    between = activity(2, "2026-05-10T08:45:00", distance_m=Decimal(8000))
    assert counted([first, between, last]) == {1, 3}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Metric.DISTANCE, Decimal(10000)),
        (Metric.MOVING_TIME, Decimal(3000)),
        (Metric.ELEVATION, Decimal(50)),
        (Metric.ACTIVITIES, Decimal(1)),
    ],
)
def test_a_board_counts_its_metric(metric: Metric, value: Decimal) -> None:
    board = Board("b", "B", metric, frozenset({"Run"}))
    judged = judge(MAY, board, [activity(1)])
    assert judged[1] == Counted(value)
    assert sum_counted([activity(1)], judged).value(metric) == value


@pytest.mark.parametrize(
    ("day", "month"),
    [
        (date(2026, 2, 3), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2028, 2, 29), (date(2028, 2, 1), date(2028, 2, 29))),
        (date(2026, 12, 31), (date(2026, 12, 1), date(2026, 12, 31))),
    ],
)
def test_a_month_is_from_its_first_to_its_last_day(day: date, month: tuple[date, date]) -> None:
    assert month_bounds(day) == month


metres = st.integers(0, 5_000_000).map(lambda centimetres: Decimal(centimetres) / 100)
starts = st.integers(0, 3 * 24 * 60).map(lambda minutes: datetime(2026, 4, 30) + timedelta(minutes=minutes))  # noqa: DTZ001
hidden = st.integers(1, 3).map(lambda day: datetime(2026, 5, day, 0, 0, 1))  # noqa: DTZ001


@st.composite
def activities(draw: st.DrawFn, sports: tuple[str, ...] = ("Run", "TrailRun", "Ride")) -> list[Activity]:
    ids = draw(st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=12))
    return [
        activity(
            strava_id,
            draw(starts | hidden).isoformat(),
            sport_type=draw(st.sampled_from(sports)),
            distance_m=draw(metres | st.sampled_from([Decimal(0), Decimal(1000)])),
            moving_time_s=draw(st.integers(0, 20_000)),
            elapsed_time_s=draw(st.integers(0, 30_000)),
            elev_gain_m=draw(metres),
            trainer=draw(st.booleans()),
            flagged=draw(st.sampled_from([False, False, False, True])),
        )
        for strava_id in ids
    ]


@given(activities(), st.randoms(use_true_random=False), st.sampled_from(list(Metric)))
def test_the_order_of_activities_never_matters(own: list[Activity], chance: Any, metric: Metric) -> None:
    board = Board("b", "B", metric, frozenset({"Run", "TrailRun"}))
    shuffled = chance.sample(own, len(own))
    assert judge(MAY, board, own) == judge(MAY, board, shuffled)
    assert sum_counted(own, judge(MAY, board, own)) == sum_counted(shuffled, judge(MAY, board, shuffled))


@given(activities(), st.sampled_from(list(Metric)))
def test_totals_are_the_sum_of_what_counts(own: list[Activity], metric: Metric) -> None:
    board = Board("b", "B", metric, frozenset({"Run"}))
    judged = judge(MAY, board, own)
    values = [one.value for one in judged.values() if isinstance(one, Counted)]
    assert judged.keys() == {one.strava_id for one in own}
    assert sum_counted(own, judged).value(metric) == sum(values, Decimal(0))
    assert sum_counted(own, judged).activities == len(values)


@given(activities(), st.sampled_from(list(Metric)))
def test_a_duplicate_is_of_one_that_counts_and_is_not_shorter(own: list[Activity], metric: Metric) -> None:
    judged = judge(MAY, Board("b", "B", metric, frozenset({"Run", "Ride"})), own)
    distances = {one.strava_id: one.distance_m for one in own}
    for strava_id, judgement in judged.items():
        if isinstance(judgement, NotCounted) and judgement.duplicate_of is not None:
            assert isinstance(judged[judgement.duplicate_of], Counted)
            assert distances[judgement.duplicate_of] >= distances[strava_id]


@given(activities())
def test_which_duplicate_counts_does_not_depend_on_what_the_board_ranks_by(own: list[Activity]) -> None:
    outcomes = [counted(own, Board("b", "B", metric, frozenset({"Run", "TrailRun"}))) for metric in Metric]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_thousands_of_recordings_at_one_time_are_one_outing() -> None:
    crowd = [activity(number, distance_m=Decimal(number)) for number in range(1, 20_001)]
    assert counted(crowd) == {20_000}


@given(activities(("Run",)))
def test_a_duplicate_never_lowers_the_total_below_the_best_of_the_pair(own: list[Activity]) -> None:
    for one in own:
        for other in own:
            pair = [one, other] if one.strava_id != other.strava_id else [one]
            alone = max(sum_counted([each], judge(MAY, RUNNING, [each])).distance_m for each in pair)
            assert sum_counted(pair, judge(MAY, RUNNING, pair)).distance_m >= alone


def to_expected(one: Activity) -> expected_activities.Activity:
    return expected_activities.Activity(
        one.strava_id,
        one.sport_type,
        one.start_at,
        one.local_start,
        one.distance_m,
        one.moving_time_s,
        one.elapsed_time_s,
        one.elev_gain_m,
        one.trainer,
        one.flagged,
        only_me=False,
    )


@given(activities(("Run", "TrailRun", "Ride", "GravelRide", "MountainBikeRide", "VirtualRide", "Unknown")))
def test_the_judgement_agrees_with_an_independent_calculation(own: list[Activity]) -> None:
    everything = Challenge(date(2026, 1, 1), date(2026, 12, 31))
    me = expected_standings.Athlete("Me", list(map(to_expected, own)))
    for board in DEFAULT_BOARDS:
        row = expected_standings.build_board(expected_standings.BOARDS[board.slug], {"me": me}).get("me")
        theirs = Totals(row.distance_m, row.moving_time_s, row.elev_gain_m, row.activities) if row else Totals()
        assert sum_counted(own, judge(everything, board, own)) == theirs


def count_points(rule: PointsRule, one: Activity) -> Decimal:
    board = Board("points", "Points", Metric.POINTS, frozenset(rule.per_unit), rule)
    return sum_counted([one], judge(MAY, board, [one]), board).points


@pytest.mark.parametrize(
    ("seconds", "per_hour", "points"),
    [
        (6600, "0.03", "0.06"),
        (3000, "0.03", "0.03"),
        (600, "0.03", "0.01"),
        (2999, "0.03", "0.02"),
        (1200, "0.01", "0.00"),
        (3599, "1", "1"),
    ],
)
def test_points_are_rounded_once_with_halves_up(seconds: int, per_hour: str, points: str) -> None:
    rule = PointsRule(Metric.MOVING_TIME, {"Run": Decimal(per_hour)})
    assert count_points(rule, activity(moving_time_s=seconds)) == Decimal(points)


@given(
    unit=st.sampled_from([metric for metric in Metric if metric is not Metric.POINTS]),
    per_unit=st.decimals(0, 100, places=2),
    hundredths=st.integers(0, 10_000_000),
    seconds=st.integers(0, 1_000) | st.integers(0, 1_000).map(lambda tens_of_minutes: 600 * tens_of_minutes),
    cap=st.none() | st.decimals(0, 100, places=2),
)
def test_points_agree_with_an_independent_calculation(
    unit: Metric, per_unit: Decimal, hundredths: int, seconds: int, cap: Decimal | None
) -> None:
    figure = Decimal(hundredths) / 100
    one = activity(distance_m=figure, elev_gain_m=figure, moving_time_s=seconds)
    theirs = expected_standings.Points(unit.value, {"Run": per_unit}, cap, Decimal("0.5"))
    board = expected_standings.Board({"Run"}, "points", theirs)
    me = expected_standings.Athlete("Me", [to_expected(one)])
    row = expected_standings.build_board(board, {"me": me})["me"]
    assert count_points(PointsRule(unit, {"Run": per_unit}, cap, Decimal("0.5")), one) == row.points


competitors = st.dictionaries(
    st.integers(),
    st.tuples(st.integers(0, 3).map(Decimal), st.sampled_from(["Ala", "ala", "Żak", "Jan"])),
    max_size=10,
)


@given(competitors, st.randoms(use_true_random=False))
def test_places_do_not_depend_on_the_order_and_ties_share_them(field: dict[int, Any], chance: Any) -> None:
    entries = [(value, name, key) for key, (value, name) in field.items()]
    ranked = rank(entries)
    places = {standing.competitor: standing.place for standing in ranked}
    shuffled = rank(chance.sample(entries, len(entries)))
    assert {standing.competitor: standing.place for standing in shuffled} == places
    assert [field[s.competitor] for s in shuffled] == [field[s.competitor] for s in ranked]
    for key, (value, _) in field.items():
        assert places[key] == 1 + sum(other > value for other, _ in field.values())


def test_ties_share_a_place_and_the_next_one_is_skipped() -> None:
    entries = [(Decimal(value), name, name) for value, name in ((5, "b"), (7, "c"), (5, "a"), (1, "d"))]
    assert [(s.place, s.competitor) for s in rank(entries)] == [(1, "c"), (2, "a"), (2, "b"), (4, "d")]


def test_values_of_another_scale_tie() -> None:
    assert [s.place for s in rank([(Decimal("1.50"), "a", 1), (Decimal("1.5"), "b", 2)])] == [1, 1]


def test_nobody_has_no_places() -> None:
    assert rank([]) == []


@dataclass(frozen=True)
class Days:
    id: int
    first_day: date
    last_day: date
    time_zone: str = "Europe/Warsaw"


@pytest.mark.parametrize(
    ("now", "month"),
    [
        ("2026-03-01T12:00Z", 4),  # the next to begin
        ("2026-03-31T21:59Z", 4),
        ("2026-04-15T12:00Z", 4),
        ("2026-05-15T12:00Z", 4),  # the last that ended
        ("2026-05-31T21:59Z", 4),
        ("2026-05-31T22:00Z", 6),  # midnight in Warsaw
        ("2026-07-15T12:00Z", 6),
    ],
)
def test_the_current_challenge_is_that_of_the_local_day(now: str, month: int) -> None:
    april = Days(1, date(2026, 4, 1), date(2026, 4, 30))
    june = Days(2, date(2026, 6, 1), date(2026, 6, 30))
    current = choose_current([june, april], datetime.fromisoformat(now))
    assert current is not None
    assert current.first_day.month == month


def test_without_challenges_there_is_no_current_one() -> None:
    assert choose_current([], datetime(2026, 5, 1, tzinfo=UTC)) is None


def test_the_rules_and_the_api_name_the_same_metrics() -> None:
    assert {metric.value for metric in Metric} == {metric.value for metric in BoardMetric}


def test_the_rules_need_nothing_that_the_events_do_not_carry() -> None:
    assert set(FACTS) <= ActivityState.model_fields.keys() | {"private"}
