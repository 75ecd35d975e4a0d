"""The control API under /_sim, the home page, and automatic uploads."""

import asyncio
from contextlib import suppress
from itertools import islice

import pytest

from stravasim.control.auto_upload import athlete_sequence, run_auto_upload
from stravasim.dataset.activity_factory import random_upload


async def add(harness, body, athlete=7):
    return await harness.client.post(f"/_sim/athletes/{athlete}/activities", json=body)


async def test_the_control_api_sees_all_activities_and_is_not_counted(open_harness):
    async with open_harness([{"id": 1, "private": True}, {"id": 2}]) as harness:
        athletes = (await harness.client.get("/_sim/athletes")).json()
        everything = (await harness.client.get("/_sim/athletes/7/activities")).json()

        assert [(athlete["id"], athlete["activities"]) for athlete in athletes] == [(7, 2), (8, 0)]
        assert set(athletes[0]) == {"id", "firstname", "lastname", "activities", "connected", "requests"}
        assert [activity["id"] for activity in everything] == [2, 1]
        assert (await harness.client.get("/_sim/athletes/8/activities")).json() == []
        assert (await harness.client.get("/_sim/athletes/9/activities")).status_code == 404
        assert (await harness.client.get("/_sim/health")).json() == {"status": "ok"}
        calls = (await harness.client.get("/_sim/requests/counts")).json()
        assert calls["paths"] == calls["athletes"] == {}
        assert (calls["rate_limited"], calls["read_quarter"], calls["overall_day"]) == (0, 0, 0)


async def test_an_added_activity_is_completed_starts_now_and_is_listed(harness):
    reader = await harness.reader()
    response = await add(harness, {"sport_type": "GravelRide", "distance": 30_000.0})

    added = response.json()
    assert response.status_code == 201
    assert added["start_date"] == "2026-07-01T12:00:00Z"
    assert added["start_date_local"] == "2026-07-01T14:00:00Z"
    assert (added["type"], added["distance"]) == ("Ride", 30_000.0)
    assert 3.0 < added["average_speed"] < 11.0
    assert added["id"] > 2**31
    assert (await reader.get(per_page=1)).json() == [added]


async def test_given_fields_are_kept_and_the_others_are_consistent_with_them(harness):
    given = {
        "id": 77,
        "start_date": "2026-01-10T23:30:00Z",
        "timezone": "(GMT+09:00) Asia/Tokyo",
        "sport_type": "Quidditch",
        "moving_time": 600,
        "manual": True,
        "private": True,
        "surprise": None,
    }
    added = (await add(harness, given)).json()

    assert {key: added[key] for key in given} == given
    assert added["start_date_local"] == "2026-01-11T08:30:00Z"
    assert (added["type"], added["visibility"], added["elapsed_time"]) == ("Workout", "only_me", 600)
    assert added["upload_id"] is None
    assert await (await harness.reader(granted="activity:read")).ids() == [5, 4, 3, 2, 1]


async def test_invalid_values_can_be_added_to_test_clients(harness):
    given = {"distance": "far", "start_date": "0001-01-01T00:00:00Z", "timezone": "nowhere", "moving_time": -1}
    added = (await add(harness, given)).json()

    assert {key: added[key] for key in given} == given


@pytest.mark.parametrize("body", [[], "x", {"id": 1}, {"id": 0}, {"id": 2**63}, {"id": "5"}, {"id": True}])
async def test_an_activity_that_cannot_be_added_is_refused(harness, body):
    assert (await add(harness, body)).status_code == 400
    assert len((await harness.client.get("/_sim/athletes/7/activities")).json()) == 5


async def test_nothing_can_be_added_to_an_unknown_athlete_or_without_json(harness):
    assert (await add(harness, {}, athlete=99)).status_code == 404
    response = await harness.client.post("/_sim/athletes/7/activities", content=b"{")
    assert response.status_code == 400


async def test_many_uploads_in_the_same_minute_get_different_ids(harness):
    ids = {(await add(harness, {})).json()["id"] for _ in range(5)}

    assert len(ids) == 5


async def test_an_automatic_upload_has_just_ended(harness):
    simulator = harness.app.state.simulator
    activity = random_upload(simulator.dataset, 7, harness.clock.now())

    assert str(activity["start_date"]) < "2026-07-01T12:00:00Z"
    assert simulator.dataset.is_id_free(activity["id"])


async def test_automatic_uploads_add_activities(harness):
    dataset = harness.app.state.simulator.dataset
    task = asyncio.create_task(run_auto_upload(harness.app.state.simulator, every_s=0))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(dataset.get_index(7)) + len(dataset.get_index(8)) > 5 + 5


def test_the_same_seed_gives_the_same_sequence_of_uploading_athletes():
    first, second, other = (list(islice(athlete_sequence(seed, (1, 2, 3)), 20)) for seed in (5, 5, 6))

    assert first == second != other
    assert set(first) == {1, 2, 3}


async def test_the_home_page_shows_athletes_and_requests(harness):
    await (await harness.reader()).get()
    page = await harness.client.get("/")

    assert page.status_code == 200
    assert "/api/v3/athlete/activities" in page.text
    assert '<a href="/_sim/athletes/7/activities">7</a>' in page.text
    assert "prefers-color-scheme: dark" in page.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v3/nothing"), ("DELETE", "/athlete")])
async def test_an_unknown_path_is_an_error_like_any_other(harness, method, path):
    response = await harness.client.request(method, path)

    assert response.status_code == 404
    assert response.json()["message"] == "Record Not Found"
