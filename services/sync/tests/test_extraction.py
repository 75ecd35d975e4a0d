"""Rules of fetching: what is picked, and when a job goes on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.events import ActivityFetched, FetchedActivity, JobReleased, SyncFinished
from sync.fetching.rules.extraction import STRAVA_FIELDS, extract_activity, start_bounds
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
    picked = FetchedActivity(id=extracted.strava_id, malformed=extracted.malformed, **extracted.fields)
    event = ActivityFetched(user_id=UUID(int=1), athlete_id=1, fetch_seq=1, fetched_at=NOW, activities=(picked,))
    assert ActivityFetched.model_validate_json(event.model_dump_json()) == event
    assert "\\u0000" not in event.model_dump_json()


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
    assert set(STRAVA_FIELDS) == FetchedActivity.model_fields.keys() - {"id", "malformed"}


def test_every_kind_of_job_has_a_priority_and_a_reserve_and_can_be_told_of() -> None:
    kinds = set(get_args(rules.Kind))
    assert rules.PRIORITIES.keys() == rules.RESERVES.keys() == kinds
    assert kinds == set(get_args(SyncFinished.model_fields["reason"].annotation))
    assert kinds == set(get_args(JobReleased.model_fields["kind"].annotation))
    assert set(rules.LISTING_KINDS) < kinds


@pytest.mark.parametrize(
    ("fields", "bounds"),
    [
        ({"start_date": "1970-01-02T00:00:05Z"}, (86_405, 86_405)),
        ({"start_date": "1970-01-02T02:00:05+02:00"}, (86_405, 86_405)),
        ({"start_date": "1970-01-02T00:00:01Z"}, (86_401, 172_801)),
        ({"start_date": "1970-01-01T22:00:01Z", "start_date_local": "1970-01-02T00:00:01Z"}, (79_201, 165_601)),
        ({"start_date_local": "1970-01-02T00:00:00Z", "utc_offset": 3600.0}, (82_800, 82_800)),
        ({"start_date_local": "1970-01-02T00:00:00Z"}, (86_400 - 50_400, 86_400 + 50_400)),
        ({"start_date": "soon"}, None),
        ({}, None),
    ],
)
def test_a_start_is_known_as_far_as_strava_says(fields: dict[str, Any], bounds: tuple[int, int] | None) -> None:
    extracted = extract_activity({"id": 1, **fields})
    assert extracted is not None
    assert start_bounds(extracted) == bounds


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(["start_date", "start_date_local", "utc_offset"], JSON)))
def test_whatever_strava_says_of_a_start_it_has_bounds_or_none(activity: dict[str, Any]) -> None:
    extracted = extract_activity({**activity, "id": 1})
    assert extracted is not None
    bounds = start_bounds(extracted)
    assert bounds is None or bounds[0] <= bounds[1]
