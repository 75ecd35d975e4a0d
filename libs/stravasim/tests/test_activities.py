"""Uploads, edits and deletions, and how the list and the detail show them."""

from datetime import datetime

import pytest
from live_server import started

from stravasim.control.client import ControlError


async def detail(reader, activity_id):
    return await reader.get(f"/api/v3/activities/{activity_id}")


async def test_a_detail_has_what_the_list_has_and_more(harness, control):
    reader = await harness.reader()
    added = await control.add_activity(7, sport_type="Run", distance=10_500.0)
    [listed] = (await reader.get(per_page=1)).json()
    answer = await detail(reader, added["id"])
    whole = answer.json()
    assert answer.headers["x-readratelimit-usage"] == "2,2"
    assert whole["resource_state"] == 3
    assert {key: whole[key] for key in listed if key not in {"resource_state", "map"}} == {
        key: value for key, value in listed.items() if key not in {"resource_state", "map"}
    }
    assert whole["map"]["polyline"] == listed["map"]["summary_polyline"]
    assert len(whole["splits_metric"]) == 11
    assert {"description", "calories", "laps", "best_efforts", "hide_from_home"} <= whole.keys()
    assert "hide_from_home" not in listed
    assert (await detail(reader, added["id"])).json() == whole


@pytest.mark.parametrize("path", ["1", "50", "99", "0", "-1", "x", "9" * 30, "٣"])
async def test_absent_strange_hidden_and_other_people_s_activities_look_the_same(open_harness, path):
    async with open_harness([started(1, private=True)]) as harness:
        await harness.client.post("/_sim/athletes/8/activities", json={"id": 50})
        answer = await detail(await harness.reader(granted="activity:read"), path)
        assert answer.status_code == 404
        assert answer.json() == {
            "message": "Resource Not Found",
            "errors": [{"resource": "Activity", "field": "", "code": "not found"}],
        }


async def test_a_detail_needs_the_right_to_read(harness):
    answer = await detail(await harness.reader(granted="read"), 1)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (401, "activity:read_permission")


async def test_an_edit_is_seen_and_a_deletion_is_final(harness, control):
    reader = await harness.reader()
    await control.update_activity(7, 3, name="Renamed", distance=77.0)
    assert (await detail(reader, 3)).json()["name"] == "Renamed"
    await control.update_activity(7, 3, start_date="2026-06-20T10:00:00Z")
    assert await reader.ids() == [3, 5, 4, 2, 1], "it moved to its new place"
    await control.delete_activity(7, 3)
    assert await reader.ids() == [5, 4, 2, 1]
    assert (await detail(reader, 3)).status_code == 404
    for gone in (
        control.delete_activity(7, 3),
        control.update_activity(7, 3, name="x"),
        control.update_activity(99, 1, name="x"),
    ):
        with pytest.raises(ControlError, match="404"):
            await gone
    with pytest.raises(ControlError, match="already exists"):
        await control.add_activity(7, id=3)


async def test_hiding_removes_an_activity_for_those_who_may_not_see_all(harness, control):
    everything, shared = await harness.reader(), await harness.reader(granted="activity:read")
    await control.update_activity(7, 2, visibility="only_me")
    assert await everything.ids() == [5, 4, 3, 2, 1]
    assert await shared.ids() == [5, 4, 3, 1]
    await control.update_activity(7, 2, visibility="everyone")
    assert await shared.ids() == [5, 4, 3, 2, 1]


async def test_an_edit_changes_what_follows_from_it(harness, control):
    run = await control.add_activity(
        7, sport_type="Run", start_date="2026-06-10T08:00:00Z", timezone="(GMT+01:00) Europe/Warsaw"
    )
    ride = await control.update_activity(7, run["id"], sport_type="GravelRide")
    assert ride["type"] == "Ride"
    moved = await control.update_activity(7, run["id"], start_date="2026-01-10T08:00:00Z")
    assert (moved["start_date_local"], moved["utc_offset"]) == ("2026-01-10T09:00:00Z", 3600.0)
    again = await control.update_activity(7, run["id"], start_date_local="2026-07-10T09:00:00Z")
    assert (again["start_date"], again["utc_offset"]) == ("2026-07-10T07:00:00Z", 7200.0)
    hidden = await control.update_activity(7, run["id"], private=True)
    assert hidden["visibility"] == "only_me"
    shown = await control.update_activity(7, run["id"], private=False)
    assert shown["visibility"] == "everyone"
    followers = await control.update_activity(7, run["id"], visibility="followers_only")
    assert followers["private"] is False


async def test_a_local_start_alone_is_in_the_athlete_s_time_zone(harness, control):
    for month in range(1, 13):
        local = f"2025-{month:02}-15T10:00:00Z"
        added = await control.add_activity(7, start_date_local=local)
        start, shown = (datetime.fromisoformat(added[key]) for key in ("start_date", "start_date_local"))
        assert added["start_date_local"] == local
        assert (shown - start).total_seconds() == added["utc_offset"]


async def test_keys_of_the_detail_alone_are_not_in_the_list(harness, control):
    reader = await harness.reader()
    added = await control.add_activity(7, description="Up the hill", hide_from_home=True)
    served = (await detail(reader, added["id"])).json()
    assert (served["description"], served["hide_from_home"]) == ("Up the hill", True)
    await control.update_activity(7, added["id"], description="Down the hill")
    assert (await detail(reader, added["id"])).json()["description"] == "Down the hill"
    [listed] = (await reader.get(per_page=1)).json()
    assert listed["id"] == added["id"]
    assert not {"description", "hide_from_home"} & listed.keys()


@pytest.mark.parametrize(
    "given",
    [
        {"start_date": "0001-01-01T00:00:00+14:00"},
        {"start_date": "9999-12-31T23:59:59-14:00"},
        {"start_date_local": "0001-01-01T00:00:00Z"},
        {"moving_time": 10**400},
        {"distance": -1e308},
        {"distance": 5e-324, "moving_time": 10},
    ],
)
async def test_odd_values_can_be_uploaded_listed_and_fetched(harness, control, given):
    reader = await harness.reader()
    added = await control.add_activity(7, **given)
    assert added["id"] in await reader.ids()
    assert (await detail(reader, added["id"])).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        '{"distance": NaN}',
        '{"name": "\\ud800"}',
        '{"description": "\\ud800"}',
        '{"calories": NaN}',
        '{"perceived_exertion": 1e999}',
        "[1]",
        "{",
    ],
)
async def test_an_edit_that_is_no_json_is_refused_and_changes_nothing(harness, body):
    reader = await harness.reader()
    before = (await detail(reader, 3)).json()
    for method, path in (("PATCH", "/_sim/athletes/7/activities/3"), ("POST", "/_sim/athletes/7/activities")):
        answer = await harness.client.request(method, path, content=body)
        assert answer.status_code == 400
    assert (await detail(reader, 3)).json() == before


async def test_a_control_body_with_nan_is_refused_in_json(harness):
    answer = await harness.client.post(
        "/_sim/clock", content='{"advance_s": NaN}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "advance_s"]


async def test_a_form_that_cannot_be_read_is_a_bad_request(harness):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await harness.client.post("/oauth/token", content=b"--y\r\nnothing", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, "Bad Request")


async def test_the_list_drifts_while_it_is_paged(harness, control):
    reader = await harness.reader()
    first = await reader.ids(per_page=2)
    await control.add_activity(7, id=6, start_date="2026-06-30T00:00:00Z")
    assert (first, await reader.ids(per_page=2, page=2)) == ([5, 4], [4, 3]), "an insert repeats one"
    await control.delete_activity(7, 6)
    await control.delete_activity(7, 5)
    assert await reader.ids(per_page=2, page=2) == [2, 1], "a deletion skips one"


async def test_a_late_upload_has_a_new_id_and_an_old_start(harness, control):
    reader = await harness.reader()
    late = await control.add_activity(7, start_date="2026-06-01T00:02:30Z")
    assert late["id"] > 2**31
    assert await reader.ids() == [5, 4, 3, late["id"], 2, 1]
    assert late["id"] not in await reader.ids(after=1780272180), "a cursor on the newest start misses it"


async def test_a_new_activity_is_found_and_listed_after_its_lag(harness, control):
    await control.update_settings(detail_lag_s=30, list_lag_s=60)
    everything, shared = await harness.reader(), await harness.reader(granted="activity:read")
    new = await control.add_activity(7, start_date="2026-06-30T00:00:00Z")
    seen = []
    for _ in range(3):
        listed = [new["id"] in await reader.ids() for reader in (everything, shared)]
        seen.append(((await detail(everything, new["id"])).status_code, listed))
        await control.set_clock(advance_s=30)
    assert seen == [(404, [False, False]), (200, [False, False]), (200, [True, True])]
    assert await everything.ids() == [new["id"], 5, 4, 3, 2, 1]
    await control.update_settings(list_lag_s=3600)
    assert await everything.ids() == [5, 4, 3, 2, 1]
    await control.delete_activity(7, new["id"])
    assert await everything.ids(per_page=2) == [5, 4]


async def test_a_manual_activity_can_be_made_with_the_right_to_write_and_is_no_read(harness):
    harness.asked["scope"] += ",activity:write"
    tokens = await harness.tokens(granted="activity:write,activity:read")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    form = {
        "name": "By hand",
        "sport_type": "Ride",
        "start_date_local": "2026-06-30T10:00:00Z",
        "elapsed_time": "3600",
        "distance": "25000",
        "description": "Along the river",
    }
    made = await harness.client.post("/api/v3/activities", data=form, headers=headers)
    assert made.status_code == 201
    assert made.json()["manual"] is True
    assert (made.json()["start_date_local"], made.json()["distance"]) == ("2026-06-30T10:00:00Z", 25_000.0)
    assert made.json()["description"] == "Along the river"
    recorded = {key: value for key, value in made.headers.raw if b"atelimit-Usage" in key}
    assert recorded == {b"X-Ratelimit-Usage": b"1,1", b"X-Readratelimit-Usage": b","}
    for name, wrong in (("name", ""), ("elapsed_time", "long"), ("distance", "nan"), ("start_date_local", "soon")):
        refused = await harness.client.post("/api/v3/activities", data=form | {name: wrong}, headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, name)
    reader = await harness.reader(granted="activity:read")
    denied = await harness.client.post("/activities", data=form, headers={"Authorization": f"Bearer {reader.token}"})
    assert denied.status_code == 401


async def test_requests_are_counted_by_path_and_by_athlete_and_can_be_cleared(harness, control):
    reader = await harness.reader()
    await reader.get()
    await detail(reader, 3)
    await detail(reader, 4)
    calls = await control.get_request_counts()
    assert calls["paths"]["/api/v3/activities/{id}"] == 2
    assert calls["athletes"] == {"7": 3}
    assert [one["requests"] for one in await control.list_athletes()] == [3, 0]
    assert [one["connected"] for one in await control.list_athletes()] == [True, False]
    assert [(call["path"], call["status"]) for call in await control.list_requests(7)][-2:] == [
        ("/api/v3/activities/3", 200),
        ("/api/v3/activities/4", 200),
    ]
    assert await control.list_requests(8) == []
    await control.clear_requests()
    assert await control.list_requests() == []
    assert (await control.get_request_counts())["athletes"] == {}
    assert (await control.get_request_counts())["read_quarter"] == 3


async def test_the_request_log_has_statuses_and_no_secrets(harness, control):
    reader = await harness.reader()
    await control.inject_fault("500", count=1)
    await reader.get(per_page=2)
    await reader.get(per_page=2, page=2)
    await harness.client.get("/api/v3/push_subscriptions", params={"client_id": "1", "client_secret": "canary"})
    await reader.get("/api/v3/no-such-thing")
    latest = await control.list_requests()
    assert [(call["athlete_id"], call["query"], call["status"]) for call in latest[-4:]] == [
        (7, "per_page=2", 500),
        (7, "per_page=2&page=2", 200),
        (None, "", 400),
        (7, "", 404),
    ]
    assert "canary" not in str(latest)
    assert "canary" not in (await harness.client.get("/")).text
