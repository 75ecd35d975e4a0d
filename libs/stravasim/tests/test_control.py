"""The control side under /_sim, the plain page, and the lively club."""

import asyncio
from contextlib import suppress
from itertools import islice

import pytest

from stravasim.additions import upload_something
from stravasim.lively import keep_lively, turns


async def add(world, body, athlete=7):
    return await world.client.post(f"/_sim/athletes/{athlete}/activities", json=body)


async def test_the_control_side_sees_everything_and_costs_nothing(open_world):
    async with open_world([{"id": 1, "private": True}, {"id": 2}]) as world:
        athletes = (await world.client.get("/_sim/athletes")).json()
        everything = (await world.client.get("/_sim/activities/7")).json()

        assert [(athlete["id"], athlete["activities"]) for athlete in athletes] == [(7, 2), (8, 0)]
        assert set(athletes[0]) == {"id", "firstname", "lastname", "activities", "connected", "calls"}
        assert [activity["id"] for activity in everything] == [2, 1]
        assert (await world.client.get("/_sim/activities/8")).json() == []
        assert (await world.client.get("/_sim/activities/9")).status_code == 404
        assert (await world.client.get("/_sim/health")).json() == {"status": "ok"}
        calls = (await world.client.get("/_sim/calls")).json()
        assert calls["paths"] == calls["athletes"] == {}
        assert (calls["refused"], calls["quarter_hour"], calls["overall_day"]) == (0, 0, 0)


async def test_an_added_activity_is_completed_starts_now_and_is_listed(world):
    reader = await world.reader()
    response = await add(world, {"sport_type": "GravelRide", "distance": 30_000.0})

    added = response.json()
    assert response.status_code == 201
    assert added["start_date"] == "2026-07-01T12:00:00Z"
    assert added["start_date_local"] == "2026-07-01T14:00:00Z"
    assert (added["type"], added["distance"]) == ("Ride", 30_000.0)
    assert 3.0 < added["average_speed"] < 11.0
    assert added["id"] > 2**31
    assert (await reader.get(per_page=1)).json() == [added]


async def test_given_keys_are_kept_and_the_others_fit_them(world):
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
    added = (await add(world, given)).json()

    assert {key: added[key] for key in given} == given
    assert added["start_date_local"] == "2026-01-11T08:30:00Z"
    assert (added["type"], added["visibility"], added["elapsed_time"]) == ("Workout", "only_me", 600)
    assert added["upload_id"] is None
    assert await (await world.reader(granted="activity:read")).ids() == [5, 4, 3, 2, 1]


async def test_broken_values_can_be_added_for_clients_to_survive(world):
    given = {"distance": "far", "start_date": "0001-01-01T00:00:00Z", "timezone": "nowhere", "moving_time": -1}
    added = (await add(world, given)).json()

    assert {key: added[key] for key in given} == given


@pytest.mark.parametrize("body", [[], "x", {"id": 1}, {"id": 0}, {"id": 2**63}, {"id": "5"}, {"id": True}])
async def test_an_activity_that_cannot_be_added_is_refused(world, body):
    assert (await add(world, body)).status_code == 400
    assert len((await world.client.get("/_sim/activities/7")).json()) == 5


async def test_nothing_can_be_added_to_a_stranger_or_without_json(world):
    assert (await add(world, {}, athlete=99)).status_code == 404
    response = await world.client.post("/_sim/athletes/7/activities", content=b"{")
    assert response.status_code == 400


async def test_many_uploads_in_the_same_minute_get_different_ids(world):
    ids = {(await add(world, {})).json()["id"] for _ in range(5)}

    assert len(ids) == 5


async def test_a_lively_upload_has_just_ended(world):
    simulator = world.app.state.simulator
    activity = upload_something(simulator.club, 7, world.clock.now())

    assert str(activity["start_date"]) < "2026-07-01T12:00:00Z"
    assert simulator.club.is_free(activity["id"])


async def test_a_lively_club_grows_by_itself(world):
    club = world.app.state.simulator.club
    task = asyncio.create_task(keep_lively(world.app.state.simulator, every=0))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(club.log(7)) + len(club.log(8)) > 5 + 5


def test_the_same_seed_keeps_the_club_lively_in_the_same_way():
    first, second, other = (list(islice(turns(seed, (1, 2, 3)), 20)) for seed in (5, 5, 6))

    assert first == second != other
    assert set(first) == {1, 2, 3}


async def test_the_front_page_shows_athletes_and_calls(world):
    await (await world.reader()).get()
    page = await world.client.get("/")

    assert page.status_code == 200
    assert "/api/v3/athlete/activities" in page.text
    assert '<a href="/_sim/activities/7">7</a>' in page.text
    assert "prefers-color-scheme: dark" in page.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v3/nothing"), ("DELETE", "/athlete")])
async def test_an_unknown_path_is_a_fault_like_any_other(world, method, path):
    response = await world.client.request(method, path)

    assert response.status_code == 404
    assert response.json()["message"] == "Record Not Found"
