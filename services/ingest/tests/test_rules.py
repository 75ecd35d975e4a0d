"""From Strava's words to ours."""

from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.stack import expected_activities
from ingest.recording.rules.mapping import Activity, RawActivity, Rejected, map_activity
from shared.contracts.events import ActivityState, FetchedActivity

WARSAW = ZoneInfo("Europe/Warsaw")
LABEL = "(GMT+01:00) Europe/Warsaw"
FETCHED_AT = datetime(2026, 5, 20, tzinfo=UTC)


def mapped(**fields: Any) -> Activity | Rejected:
    return map_activity(RawActivity(**{"id": 1, "start_date": "2026-05-01T06:00:00Z", **fields}), WARSAW, FETCHED_AT)


def good(**fields: Any) -> Activity:
    outcome = mapped(**fields)
    assert isinstance(outcome, Activity), outcome
    return outcome


def reason(**fields: Any) -> str:
    outcome = mapped(**fields)
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason


def starts(**fields: Any) -> tuple[str, str]:
    activity = good(**{"start_date": None, **fields})
    assert activity.start_at.tzinfo is UTC
    assert activity.local_start.tzinfo is None
    return f"{activity.start_at:%m-%d %H:%M}", f"{activity.local_start:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("fields", "start_at", "local_start"),
    [
        # Both: the false Z of the local one is not believed, nor is the rest needed.
        ({"start_date": "2026-05-01T06:00:00Z",
          "start_date_local": "2026-05-01T08:00:00Z"}, "05-01 06:00", "05-01 08:00"),
        ({"start_date": "2026-05-01T06:00:00+00:00",
          "start_date_local": "2026-05-01T08:00:00"}, "05-01 06:00", "05-01 08:00"),
        ({"start_date": "2026-05-01T06:00:00Z",
          "start_date_local": "2026-05-01T08:00:00+02:00"}, "05-01 06:00", "05-01 08:00"),
        ({"start_date": "2026-05-01T06:00:00",
          "start_date_local": "2026-05-01T15:00:00Z"}, "05-01 06:00", "05-01 15:00"),
        # One: by the true offset, else by the zone, whose own offset is the standard one, else by default.
        ({"start_date": "2026-05-01T20:00:00Z",
          "utc_offset": -14400.0, "timezone": LABEL}, "05-01 20:00", "05-01 16:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "(GMT-05:00) America/New_York"}, "05-01 20:00", "05-01 16:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "(GMT+05:45) Asia/Kathmandu"}, "05-01 20:00", "05-02 01:45"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "Asia/Tokyo"}, "05-01 20:00", "05-02 05:00"),
        ({"start_date": "2026-05-01T23:00:00Z"}, "05-01 23:00", "05-02 01:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "(GMT+01:00) Mars/Base"}, "05-01 20:00", "05-01 22:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "(GMT+01:00) "}, "05-01 20:00", "05-01 22:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "../../etc"}, "05-01 20:00", "05-01 22:00"),
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": "(GMT+01:00) Europe"}, "05-01 20:00", "05-01 22:00"),  # a folder of zones
        ({"start_date": "2026-05-01T20:00:00Z",
          "timezone": f"(GMT+01:00) {'x' * 300}"}, "05-01 20:00", "05-01 22:00"),  # no file can have this name
        ({"start_date_local": "2026-05-01T16:00:00Z",
          "utc_offset": -14400.0}, "05-01 20:00", "05-01 16:00"),
        ({"start_date_local": "2026-05-01T16:00:00Z",
          "timezone": "(GMT-05:00) America/New_York"}, "05-01 20:00", "05-01 16:00"),
        ({"start_date_local": "2026-05-01T01:00:00Z"}, "04-30 23:00", "05-01 01:00"),
        ({"start_date": "", "start_date_local": "2026-05-01T01:00:00Z"}, "04-30 23:00", "05-01 01:00"),
        # Offsets of zero are offsets.
        ({"start_date": "2026-05-01T20:00:00Z",
          "utc_offset": 0.0}, "05-01 20:00", "05-01 20:00"),
    ],
)  # fmt: skip
def test_the_start_is_derived_from_what_there_is(fields: dict[str, Any], start_at: str, local_start: str) -> None:
    assert starts(**fields) == (start_at, local_start)


@pytest.mark.parametrize(
    ("start_at", "local_start"),
    [
        ("2026-03-29T00:59:59Z", "2026-03-29T01:59:59"),  # the last second of winter
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
        ("2026-10-25T00:59:59Z", "2026-10-25T02:59:59"),  # the hour from 02:00 comes twice
        ("2026-10-25T01:00:00Z", "2026-10-25T02:00:00"),
        ("2026-10-24T22:00:00Z", "2026-10-25T00:00:00"),
        ("2026-10-25T23:00:00Z", "2026-10-26T00:00:00"),
    ],
)
def test_clocks_change_on_sunday_in_warsaw(start_at: str, local_start: str) -> None:
    activity = good(start_date=start_at, timezone=LABEL)
    assert activity.local_start == datetime.fromisoformat(local_start)


@pytest.mark.parametrize(
    ("local_start", "start_at"),
    [
        ("2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"),
        ("2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z"),  # a wall clock that never was
        ("2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"),  # the first of the two
        ("2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"),
    ],
)
def test_a_wall_clock_of_a_change_has_one_moment(local_start: str, start_at: str) -> None:
    activity = good(start_date=None, start_date_local=local_start, timezone=LABEL)
    assert activity.start_at == datetime.fromisoformat(start_at)


def test_the_offset_tells_the_second_of_two_equal_hours() -> None:
    activity = good(start_date=None, start_date_local="2026-10-25T02:30:00Z", utc_offset=3600.0)
    assert activity.start_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"start_date": None}, "neither start_date nor start_date_local"),
        ({"start_date": "", "start_date_local": ""}, "neither start_date nor start_date_local"),
        ({"start_date": "yesterday"}, "start_date is not a time"),
        ({"start_date": "2026-02-30T06:00:00Z"}, "start_date is not a time"),
        ({"start_date_local": "soon"}, "start_date_local is not a time"),
        ({"utc_offset": 86_400.0}, "utc_offset is out of range"),
        ({"utc_offset": 1e20}, "utc_offset is out of range"),
        ({"utc_offset": float("inf")}, "utc_offset is out of range"),
        ({"utc_offset": float("nan")}, "utc_offset is out of range"),
        ({"start_date": "9999-12-31T23:30:00Z"}, "the start is beyond the calendar"),
        ({"start_date": "9999-12-31T23:30:00Z", "utc_offset": 3600}, "the start is beyond the calendar"),
        ({"start_date": None, "start_date_local": "0001-01-01T00:00:00Z"}, "the start is beyond the calendar"),
        (
            {"start_date": None, "start_date_local": "0001-01-01T00:00:00Z", "utc_offset": 3600},
            "the start is beyond the calendar",
        ),
        ({"start_date": "9999-12-31T10:00:00Z", "elapsed_time": 86_400}, "the end is beyond the calendar"),
        ({"start_date": "0001-01-01T00:00:00+05:00"}, "the start is beyond the calendar"),
        ({"distance": -0.1}, "distance is out of range"),
        ({"distance": 50_000_000.01}, "distance is out of range"),
        ({"distance": float("nan")}, "distance is out of range"),
        ({"distance": float("inf")}, "distance is out of range"),
        ({"distance": 1e27}, "distance is out of range"),
        ({"moving_time": -1}, "moving_time is out of range"),
        ({"moving_time": 366 * 86_400 + 1}, "moving_time is out of range"),
        ({"moving_time": float("inf")}, "moving_time is out of range"),
        ({"elapsed_time": -1, "moving_time": 1}, "elapsed_time is out of range"),
        ({"elapsed_time": 1e18, "moving_time": 1}, "elapsed_time is out of range"),
        ({"total_elevation_gain": 1_000_001}, "total_elevation_gain is out of range"),
        ({"malformed": ("distance", "type")}, "of another type than Strava documents: distance, type"),
    ],
)
def test_what_makes_no_sense_is_rejected_with_a_reason(fields: dict[str, Any], why: str) -> None:
    assert reason(**fields) == why


def test_what_strava_leaves_out_counts_as_nothing() -> None:
    activity = good()
    assert (activity.distance_m, activity.elev_gain_m) == (Decimal(0), Decimal(0))
    assert (activity.moving_time_s, activity.elapsed_time_s) == (0, 0)
    assert (activity.trainer, activity.commute, activity.manual) == (False, False, False)
    assert (activity.sport_type, activity.visibility) == ("Unknown", "everyone")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sport_type": "TrailRun", "type": "Run"}, {"sport_type": "TrailRun"}),
        ({"sport_type": "", "type": "Run"}, {"sport_type": "Run"}),
        ({"moving_time": 60}, {"moving_time_s": 60, "elapsed_time_s": 60}),
        ({"elapsed_time": 60}, {"moving_time_s": 60, "elapsed_time_s": 60}),
        ({"moving_time": 61, "elapsed_time": 60}, {"moving_time_s": 61, "elapsed_time_s": 60}),
        ({"moving_time": 0, "elapsed_time": 60}, {"moving_time_s": 0, "elapsed_time_s": 60}),
        ({"moving_time": 0.5, "elapsed_time": 1.5}, {"moving_time_s": 0, "elapsed_time_s": 2}),
        ({"private": True}, {"visibility": "only_me"}),
        ({"private": True, "visibility": "everyone"}, {"visibility": "everyone"}),
        ({"distance": 0.0, "moving_time": 600}, {"distance_m": Decimal(0)}),
        ({"distance": -0.0}, {"distance_m": Decimal(0)}),
        ({"distance": 1.005}, {"distance_m": Decimal("1.00")}),  # ties to even, of the number as it is written
        ({"distance": 1.015}, {"distance_m": Decimal("1.02")}),
        ({"distance": 0.1 + 0.2}, {"distance_m": Decimal("0.30")}),
        ({"distance": 50_000_000}, {"distance_m": Decimal(50_000_000)}),
        ({"total_elevation_gain": 0}, {"elev_gain_m": Decimal(0)}),
        ({"id": 2**63 - 1}, {"strava_id": 2**63 - 1}),
        ({"trainer": True, "commute": True, "manual": True}, {"trainer": True, "commute": True, "manual": True}),
    ],
)
def test_fields_are_read_as_documented(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    activity = asdict(good(**fields))
    assert {name: activity[name] for name in expected} == expected


def test_no_zero_is_negative() -> None:
    assert str(good(distance=-0.0).distance_m) == "0.00"


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")  # noqa: DTZ001
numbers = st.floats(0, 200_000, allow_subnormal=False) | st.integers(0, 200_000)
raws = st.fixed_dictionaries(
    {"id": st.integers(1, 2**63 - 1)},
    optional={
        "start_date": moments | st.none(),
        "start_date_local": moments | st.none(),
        "timezone": st.sampled_from([LABEL, "(GMT-05:00) America/New_York", "(GMT+01:00) Mars/Base", "", None]),
        "utc_offset": st.integers(-48, 56).map(lambda quarters: quarters * 900.0) | st.none(),
        "distance": numbers | st.none() | st.floats(-5, -0.5),
        "moving_time": numbers | st.none(),
        "elapsed_time": numbers | st.none(),
        "total_elevation_gain": numbers | st.none(),
        "sport_type": st.sampled_from(["Run", "Ride", "", None]),
        "type": st.sampled_from(["Run", "Ride", None]),
        "trainer": st.booleans() | st.none(),
    },
)


@given(raws)
def test_the_mapping_agrees_with_an_independent_reading(raw: dict[str, Any]) -> None:
    ours = map_activity(RawActivity(**raw), WARSAW, FETCHED_AT)
    theirs = expected_activities.parse_activities([raw])
    assert isinstance(ours, Activity) == bool(theirs)
    if isinstance(ours, Activity):
        [other] = theirs
        assert (ours.strava_id, ours.start_at, ours.local_start) == (other.id, other.start_at, other.local_start)
        assert (ours.distance_m, ours.elev_gain_m) == (other.distance_m, other.elev_gain_m)
        assert (ours.moving_time_s, ours.elapsed_time_s) == (other.moving_time_s, other.elapsed_time_s)
        assert ours.start_at + timedelta(seconds=ours.elapsed_time_s) == other.end
        assert ours.trainer == other.trainer
        assert ours.sport_type == (other.sport_type or "Unknown")


def test_the_rules_read_and_give_what_the_events_carry() -> None:
    assert {field.name for field in fields(RawActivity)} == FetchedActivity.model_fields.keys()
    recorded = ActivityState.model_fields.keys() - {"user_id", "version", "reason", "overlaps_with", "changed"}
    assert {field.name for field in fields(Activity)} == recorded
