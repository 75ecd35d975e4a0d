"""The generated dataset: the same for the same seed, and realistic."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stravasim.dataset.generator import generate_dataset
from stravasim.dataset.profiles import build_profile
from stravasim.strava.sport_types import SPORT_TYPES

NO_WORKOUT_TYPE = {"Swim", "Hike", "AlpineSki", "BackcountrySki", "NordicSki"}
NOW = datetime(2026, 4, 30, 18, 0, tzinfo=UTC)


def dataset(athletes=40, days=60, seed=1, until=date(2026, 4, 30), now=NOW):
    return generate_dataset(athletes=athletes, days=days, seed=seed, until=until, now=now)


def entries(made):
    return [entry for athlete in made.athletes for entry in made.get_index(athlete).entries]


@cache
def activities():
    """All activities of one dataset over the change to summer time."""
    return [json.loads(entry.body) for entry in entries(dataset())]


def moment(text):
    return datetime.fromisoformat(text)


def test_the_same_seed_generates_the_same_dataset_and_another_seed_another():
    assert entries(dataset(athletes=4, days=20)) == entries(dataset(athletes=4, days=20))
    assert entries(dataset(athletes=4, days=20)) != entries(dataset(athletes=4, days=20, seed=2))


def test_a_larger_or_later_dataset_contains_the_smaller_one():
    small = set(entries(dataset(athletes=3, days=10)))

    assert small < set(entries(dataset(athletes=5, days=10)))
    assert small < set(entries(dataset(athletes=3, days=30)))
    tomorrow = dataset(athletes=3, days=10, until=date(2026, 5, 1), now=NOW + timedelta(days=1))
    first_day = datetime(2026, 4, 22, 12, tzinfo=UTC).timestamp()
    assert {entry for entry in small if entry.start > first_day} < set(entries(tomorrow))


def test_ids_are_unique_and_beyond_32_bits():
    ids = [activity["id"] for activity in activities()]

    assert len(set(ids)) == len(ids)
    assert min(ids) > 2**31


def test_athletes_train_about_once_a_day_with_rest_days():
    made = dataset()
    for athlete in made.athletes:
        days = Counter(moment(json.loads(e.body)["start_date_local"]).date() for e in made.get_index(athlete).entries)
        if not made.athletes[athlete].always_active:
            assert 0.4 < sum(days.values()) / 60 < 1.9
            assert len(days) < 60


@given(seed=st.integers(0, 10**6), hour=st.integers(0, 23))
def test_the_newest_activity_is_within_the_last_day_and_none_is_in_the_future(seed, hour):
    now = datetime(2026, 3, 29, hour, 30, tzinfo=UTC)
    today = now.astimezone(ZoneInfo("Europe/Warsaw")).date()
    starts = [entry.start for entry in entries(dataset(athletes=1, days=3, seed=seed, until=today, now=now))]

    assert now.timestamp() - 86_400 <= max(starts) <= now.timestamp()


def test_local_time_is_utc_plus_offset_and_the_label_is_standard_time():
    offsets = set()
    for activity in activities():
        if activity["start_date"].endswith("T00:00:01Z"):
            assert activity["start_date_local"] == activity["start_date"]
            continue
        zone = activity["timezone"].partition(") ")[2]
        start = moment(activity["start_date"])
        assert start.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(seconds=activity["utc_offset"])
        assert moment(activity["start_date_local"]) - start == timedelta(seconds=activity["utc_offset"])
        if zone == "Europe/Warsaw":
            assert activity["timezone"] == "(GMT+01:00) Europe/Warsaw"
            offsets.add(activity["utc_offset"])
    assert offsets == {3600.0, 7200.0}


def test_manual_activities_lack_the_keys_that_come_from_a_file():
    manual = [activity for activity in activities() if activity["manual"]]

    assert manual
    for activity in manual:
        assert activity["upload_id"] is None
        assert activity["external_id"] is None
        assert "upload_id_str" not in activity
        assert activity["start_latlng"] == activity["end_latlng"] == []
        assert activity["map"]["summary_polyline"] == ""
        assert activity["max_speed"] == 0
        assert isinstance(activity["max_speed"], int)
        assert not activity["has_heartrate"]


def test_virtual_rides_have_a_track_and_indoor_rides_have_none():
    virtual = [a for a in activities() if a["sport_type"] == "VirtualRide"]
    indoor = [a for a in activities() if a["sport_type"] == "Ride" and a["trainer"]]

    assert virtual
    assert all(a["trainer"] and a["device_name"] == "Zwift" and a["start_latlng"] for a in virtual)
    assert indoor
    assert all(a["start_latlng"] == [] and a["map"]["summary_polyline"] == "" for a in indoor)


def test_numbers_have_the_types_strava_sends():
    for activity in activities():
        assert isinstance(activity["distance"], float)
        assert isinstance(activity["average_speed"], float)
        assert activity["total_elevation_gain"] > 0 or isinstance(activity["total_elevation_gain"], int)
        assert all(isinstance(activity[key], int) for key in ("moving_time", "elapsed_time", "id"))
        assert activity["moving_time"] <= activity["elapsed_time"] + 1
        assert activity["private"] == (activity["visibility"] == "only_me")
        assert ("average_heartrate" in activity) == activity["has_heartrate"]
        assert ("workout_type" in activity) == (activity["sport_type"] not in NO_WORKOUT_TYPE)
        assert "hide_from_home" not in activity


def test_the_dataset_has_every_special_case_that_clients_must_handle():
    made = activities()
    sports = {activity["sport_type"] for activity in made}
    by_athlete = {}
    for activity in made:
        by_athlete.setdefault(activity["athlete"]["id"], []).append(activity)

    assert {"Run", "TrailRun", "Ride", "GravelRide", "MountainBikeRide", "VirtualRide", "Swim", "Walk"} <= sports
    assert {"Hike", "WeightTraining", "Yoga", "Orienteering"} <= sports
    assert any(a["sport_type"] == "Ride" and a["trainer"] and a["distance"] == 0.0 for a in made)
    assert any(a["commute"] for a in made)
    assert {"everyone", "followers_only", "only_me"} == {a["visibility"] for a in made}
    assert any(a["start_date"].endswith("T00:00:01Z") for a in made)
    assert len({a["timezone"] for a in made}) > 2
    late = sum(1 for own in by_athlete.values() for a, b in pairwise(own) if a["id"] < b["id"])
    assert 0.005 < late / len(made) < 0.15


def test_watch_and_head_unit_record_the_same_ride_twice():
    pairs = 0
    rides = sorted(
        (a for a in activities() if not a["start_date"].endswith("T00:00:01Z")),
        key=lambda a: (a["athlete"]["id"], a["start_date"]),
    )
    for one, two in pairwise(rides):
        end = moment(one["start_date"]) + timedelta(seconds=one["elapsed_time"])
        if one["athlete"] == two["athlete"] and moment(two["start_date"]) < end:
            pairs += 1
            assert one["id"] != two["id"]
            assert one["sport_type"] == two["sport_type"]
            assert abs(one["distance"] - two["distance"]) < 0.02 * one["distance"]
    assert 5 < pairs < 0.06 * len(rides)


def test_weekends_are_longer():
    kilometres = {True: 0.0, False: 0.0}
    for activity in activities():
        kilometres[moment(activity["start_date_local"]).weekday() >= 5] += activity["distance"]

    assert kilometres[True] / 2 > kilometres[False] / 5


def test_a_dataset_must_be_between_2020_and_today():
    with pytest.raises(ValueError, match="before 2020-01-01"):
        dataset(days=4000)
    with pytest.raises(ValueError, match="future"):
        dataset(until=date(2026, 5, 1))


def test_a_profile_follows_from_the_id():
    assert build_profile(5) == build_profile(5)
    assert len({(build_profile(n)["firstname"], build_profile(n)["lastname"]) for n in range(100)}) > 80
    women = [build_profile(number) for number in range(300) if build_profile(number)["sex"] == "F"]
    assert not [person for person in women if str(person["lastname"]).endswith("ski")]


def test_a_large_dataset_has_every_documented_sport_and_an_undocumented_one():
    made = {json.loads(entry.body)["sport_type"] for entry in entries(dataset(athletes=80, days=120))}
    assert made == {*SPORT_TYPES, "Orienteering"}
