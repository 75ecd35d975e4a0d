"""Activities with values that Strava would not send: sync, ingest and the expected standings agree on each."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.stack import expected_activities, expected_standings
from ingest.recording.rules.mapping import Activity, RawActivity, map_activity
from sync.fetching.rules.extraction import extract_activity

WARSAW = ZoneInfo("Europe/Warsaw")
FETCHED_AT = datetime(2026, 5, 20, tzinfo=UTC)
USUAL: dict[str, Any] = {"id": 1, "sport_type": "Run", "start_date": "2026-05-01T06:00:00Z", "distance": 1000.0}
LATEST = "9999-12-31T23:59:59Z"
EARLIEST = "0001-01-01T00:00:00Z"

INVALID: list[dict[str, Any]] = [
    *({"utc_offset": value} for value in (1e20, 1e999, -1e999, float("nan"), 86_400, -86_400, 10**400, True, "3600")),
    *(
        {name: value}
        for name in ("distance", "total_elevation_gain")
        for value in (1e27, 1e999, float("nan"), 10**400)
    ),
    *({"moving_time": value} for value in (1e999, 1e18, float("nan"), 10**400)),
    *({"elapsed_time": value} for value in (1e999, 1e18, float("nan"), 10**400)),
    {"distance": 50_000_000.01},
    {"total_elevation_gain": 1_000_000.01},
    {"moving_time": 366 * 86_400 + 1},
    {"start_date": None, "start_date_local": EARLIEST, "utc_offset": 3600},
    {"start_date": None, "start_date_local": EARLIEST, "timezone": "(GMT+09:00) Asia/Tokyo"},
    {"start_date": None, "start_date_local": LATEST, "utc_offset": -3600},
    {"start_date": LATEST, "utc_offset": 3600},
    {"start_date": LATEST, "timezone": "(GMT+09:00) Asia/Tokyo"},
    {"start_date": EARLIEST, "utc_offset": -3600},
    {"start_date": "0001-01-01T00:00:00+05:00"},
    {"start_date": LATEST, "start_date_local": "9999-12-31T12:00:00Z", "elapsed_time": 1},
    {"start_date": "2026-02-30T06:00:00Z"},
    *({name: value} for name in ("start_date", "start_date_local") for value in (5, 0, [1], [], {}, False, "soon")),
    *({"timezone": value} for value in (5, 0, [], "(GMT+01:00) " + "x" * 300, "Europe/Warsaw\n")),
    *({name: value} for name in ("sport_type", "type", "visibility") for value in (5, "x" * 201, "Run\x00")),
    *({name: value} for name in ("trainer", "commute", "manual", "private", "flagged") for value in (0, 1, "false")),
]
VALID: list[dict[str, Any]] = [
    *(
        {"timezone": value}
        for value in ("(GMT+01:00) Europe", "(GMT+01:00) " + "x" * 180, "(GMT+01:00) ", "../../etc", "Asia/Tokyo", "")
    ),
    {"start_date": LATEST, "start_date_local": LATEST},
    {"start_date": None, "start_date_local": EARLIEST, "utc_offset": -3600},
    {"start_date": "2026-05-01T06:00:00+02:00"},
    {"start_date": "2026-05-01"},
    {"start_date_local": "2026-05-01T08:00:00.5+02:00"},
    {"utc_offset": -86_399},
    {"utc_offset": 1e-7},
    {"distance": 50_000_000, "total_elevation_gain": 1_000_000, "moving_time": 366 * 86_400},
    {"distance": -0.0},
]


def record(summary: dict[str, Any]) -> Activity | None:
    """What sync and ingest make of an activity; None when they reject it."""
    extracted = extract_activity(summary)
    assert extracted is not None
    raw = RawActivity(id=extracted.strava_id, malformed=extracted.malformed, **extracted.fields)
    outcome = map_activity(raw, WARSAW, FETCHED_AT)
    return outcome if isinstance(outcome, Activity) else None


def assert_agrees(summary: dict[str, Any]) -> None:
    recorded, expected = record(summary), expected_activities.parse_activities([summary])
    assert (recorded is not None) == bool(expected)
    athlete = expected_standings.Athlete("Me", expected)
    board = expected_standings.build_board(expected_standings.BOARDS["running"], {"me": athlete})
    if recorded is None:
        assert board == {}
        return
    [other] = expected
    assert (recorded.start_at, recorded.local_start) == (other.start_at, other.local_start)
    assert (recorded.distance_m, recorded.elev_gain_m) == (other.distance_m, other.elev_gain_m)
    assert (recorded.moving_time_s, recorded.elapsed_time_s) == (other.moving_time_s, other.elapsed_time_s)
    assert recorded.start_at + timedelta(seconds=recorded.elapsed_time_s) == other.end
    assert (recorded.sport_type, recorded.trainer) == (other.sport_type or "Unknown", other.trainer)
    assert (recorded.manual, recorded.commute) == (other.manual, other.commute)


@pytest.mark.parametrize("fields", INVALID, ids=lambda fields: str(fields)[:70])
def test_an_invalid_activity_is_rejected_and_counts_nowhere(fields: dict[str, Any]) -> None:
    assert record({**USUAL, **fields}) is None
    assert_agrees({**USUAL, **fields})


@pytest.mark.parametrize("fields", VALID, ids=lambda fields: str(fields)[:70])
def test_an_unusual_but_valid_activity_is_recorded_and_counts(fields: dict[str, Any]) -> None:
    assert record({**USUAL, **fields}) is not None
    assert_agrees({**USUAL, **fields})


def test_a_challenge_ends_some_days_after_the_last_start_but_within_the_calendar() -> None:
    dates = ("2026-05-01T06:00:00Z", "2026-05-03T06:00:00Z", LATEST)
    first, last, end = ({**USUAL, "start_date": at, "start_date_local": at} for at in dates)

    def days(*summaries: dict[str, Any]) -> tuple[date, date] | None:
        return expected_activities.find_day_range([expected_activities.parse_activities(summaries)], 14)

    assert days(last, first) == (date(2026, 5, 1), date(2026, 5, 17))
    assert days(first, end) == (date(2026, 5, 1), date.max)
    assert days() is None


FOREIGN = [value for fields in (*INVALID, *VALID) for value in fields.values()]
FIELDS = sorted({name for fields in (*INVALID, *VALID) for name in fields})


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(FOREIGN) | st.floats() | st.integers() | st.text()))
def test_sync_ingest_and_the_expected_standings_agree_on_any_values(fields: dict[str, Any]) -> None:
    assert_agrees({**USUAL, **fields})
