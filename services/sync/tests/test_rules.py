"""Rules of fetching: what is picked, and when a job goes on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.events import ActivityFetched
from sync.fetching.rules import STRAVA_FIELDS, extract_activity
from sync.jobs import rules

NOW = datetime(2026, 5, 1, 12, 7, 30, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    "id": 16_195_505_756,
    "sport_type": "TrailRun",
    "type": "Run",
    "start_date": "2025-10-19T20:00:00Z",
    "start_date_local": "2025-10-19T16:00:00Z",
    "timezone": "(GMT-05:00) America/New_York",
    "utc_offset": -14400.0,
    "distance": 10_000.5,
    "moving_time": 3600,
    "elapsed_time": 3700,
    "total_elevation_gain": 0,
    "trainer": False,
    "commute": False,
    "manual": False,
    "private": False,
    "visibility": "everyone",
}
NUMBERS = ["utc_offset", "distance", "moving_time", "elapsed_time", "total_elevation_gain"]
FLAGS = ["trainer", "commute", "manual", "private"]
TEXTS = ["sport_type", "type", "start_date", "start_date_local", "timezone", "visibility"]


def summary(**changed: Any) -> dict[str, Any]:
    return {**WHOLE, "name": "Secret hill", "map": {"summary_polyline": "abc"}, **changed}


def test_just_the_needed_fields_are_picked() -> None:
    extracted = extract_activity(summary())
    assert extracted is not None
    assert {"id": extracted.strava_id, **extracted.fields} == WHOLE
    assert extracted.malformed == ()


@pytest.mark.parametrize("name", NUMBERS + FLAGS + TEXTS)
def test_a_field_that_is_null_or_missing_is_just_absent(name: str) -> None:
    without = {key: value for key, value in summary().items() if key != name}
    for activity in (summary(**{name: None}), without):
        extracted = extract_activity(activity)
        assert extracted is not None
        assert name not in extracted.fields
        assert extracted.malformed == ()


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (NUMBERS, ["12", True, [], {}, float("nan"), float("inf"), -float("inf"), 10**400, 1e300]),
        (FLAGS, ["true", 0, 1, 1.0, [], {}]),
        (TEXTS, [1, 1.5, True, [], {}, "Ru\x00n", "\ud800", "x" * 201]),
    ],
)
def test_a_field_of_another_type_is_named_and_not_passed_on(names: list[str], values: list[Any]) -> None:
    for name in names:
        for value in values:
            extracted = extract_activity(summary(**{name: value}))
            assert extracted is not None
            assert extracted.malformed == (name,), (name, value)
            assert name not in extracted.fields


@pytest.mark.parametrize("strava_id", [None, "1", 1.0, True, 0, -1, 2**63, [], {}])
def test_nothing_can_be_said_about_an_activity_without_a_usable_id(strava_id: Any) -> None:
    assert extract_activity(summary(id=strava_id)) is None


@pytest.mark.parametrize("rubbish", [None, 1, "activity", [], [1], True])
def test_what_is_no_object_is_no_activity(rubbish: Any) -> None:
    assert extract_activity(rubbish) is None


def test_ids_have_64_bits() -> None:
    extracted = extract_activity(summary(id=2**63 - 1))
    assert extracted is not None
    assert extracted.strava_id == 2**63 - 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists, max_leaves=3
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*WHOLE], JSON)))
def test_whatever_strava_says_what_is_picked_can_be_told(activity: dict[str, Any]) -> None:
    extracted = extract_activity(json.loads(json.dumps({**activity, "id": 1})))
    assert extracted is not None
    event = ActivityFetched(
        user_id=UUID(int=1),
        athlete_id=1,
        fetch_seq=1,
        fetched_at=NOW,
        id=extracted.strava_id,
        malformed=extracted.malformed,
        **extracted.fields,
    )
    assert ActivityFetched.model_validate_json(event.model_dump_json()) == event
    assert "\\u0000" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("now", "window"),
    [("12:00:00", "12:15:01"), ("12:14:59", "12:15:01"), ("12:15:00", "12:30:01"), ("12:59:59", "13:00:01")],
)
def test_the_next_window_begins_at_a_quarter(now: str, window: str) -> None:
    assert rules.next_quarter_reset(datetime.fromisoformat(f"2026-05-01T{now}+00:00")) == datetime.fromisoformat(
        f"2026-05-01T{window}+00:00"
    )


def test_the_last_window_of_the_day_and_the_day_itself_end_at_midnight_utc() -> None:
    late = datetime(2026, 12, 31, 23, 50, tzinfo=UTC)
    midnight = datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert rules.next_quarter_reset(late) == rules.next_daily_reset(late) == midnight


@pytest.mark.parametrize(
    ("attempts", "wait_s"), [(1, 10), (2, 60), (3, 300), (4, 900), (5, 3600), (6, 3600), (7, 3600), (8, None)]
)
def test_waits_grow_until_the_job_is_given_up(attempts: int, wait_s: int | None) -> None:
    if wait_s is None:
        assert rules.retry_at(NOW, attempts, 0) is None
    else:
        assert rules.retry_at(NOW, attempts, 0) == NOW + timedelta(seconds=wait_s)
        assert rules.retry_at(NOW, attempts, 1) == NOW + timedelta(seconds=wait_s * 1.5)


def test_what_is_extracted_is_what_the_event_has_in_strava_s_words() -> None:
    own = {"user_id", "athlete_id", "fetch_seq", "fetched_at", "id", "malformed"}
    assert set(STRAVA_FIELDS) == ActivityFetched.model_fields.keys() - own
