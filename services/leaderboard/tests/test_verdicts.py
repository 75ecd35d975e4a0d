"""Why activities count or do not, and what people choose about it, over the API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import WEB_KEY, add_challenge, create_app, handle, list_standings, metres

from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded, removed, revised

WEB = {"Authorization": f"Bearer {WEB_KEY}"}
ORGANISER = {**WEB, "Gruppetto-User": str(UUID(int=77)), "Gruppetto-Organiser": "true"}


def as_user(user_id: UUID) -> dict[str, str]:
    return {**WEB, "Gruppetto-User": str(user_id)}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"))
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=WEB) as client:
        yield client


async def verdicts(client: httpx.AsyncClient, user_id: UUID = ANNA, **parameters: Any) -> dict[str, Any]:
    response = await client.get(
        f"/challenges/main/participants/{user_id}/verdicts", headers=as_user(user_id), params=parameters
    )
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def reasons(client: httpx.AsyncClient, board: str = "running") -> dict[int, str]:
    """Strava id -> "counts", or the reason against it."""
    page = await verdicts(client)
    return {
        activity["strava_id"]: verdict["reason"] or "counts"
        for activity in page["activities"]
        for verdict in activity["boards"]
        if verdict["board"] == board
    }


async def choose(client: httpx.AsyncClient, method: str, strava_id: int, what: str, user_id: UUID = ANNA) -> int:
    response = await client.request(method, f"/participants/{user_id}/activities/{strava_id}/{what}")
    return response.status_code


async def test_each_activity_says_why_it_counts_or_does_not(client: httpx.AsyncClient, database: Database) -> None:
    await handle(
        database,
        recorded(1, day=1, km=12.3),
        recorded(2, day=2, trainer=True),
        recorded(3, day=3, flagged=True),
        recorded(4, day=4, visibility="only_me"),
        recorded(5, day=5, sport_type="Swim"),
        recorded(6, day=6, km=10.0),
        recorded(7, day=6, km=9.0),
        recorded(8, day=32),
        recorded(9, day=40),  # too far from the challenge's days to be shown
    )
    assert await reasons(client) == {
        1: "counts",
        2: "indoor",
        3: "flagged",
        4: "private",
        5: "other_sport",
        6: "counts",
        7: "duplicate",
        8: "outside_the_dates",
    }
    page = await verdicts(client)
    by_id = {activity["strava_id"]: activity for activity in page["activities"]}
    assert by_id[1]["boards"][0] == {
        "board": "running",
        "counts": True,
        "value": 12300.0,
        "units": None,
        "points_per_unit": None,
        "reason": None,
        "message": None,
        "duplicate_of": None,
    }
    assert by_id[7]["boards"][0]["duplicate_of"] == 6
    assert (by_id[6]["overlaps_with"], by_id[7]["overlaps_with"], by_id[1]["overlaps_with"]) == ([7], [6], [])
    assert by_id[7]["boards"][0]["message"].startswith("It took place at the same time")


async def test_what_counts_adds_up_to_the_standing(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, *(recorded(n, day=n % 31 + 1, km=n / 7) for n in range(1, 60)))
    page, counted = await verdicts(client), 0.0
    while True:
        for activity in page["activities"]:
            [verdict] = [one for one in activity["boards"] if one["board"] == "running"]
            counted += verdict["value"] or 0
        if page["next_until"] is None:
            break
        page = await verdicts(client, until=page["next_until"])
    assert round(counted, 2) == float((await metres(database))["running", ANNA.int])


async def test_pages_are_whole_days_and_name_each_activity_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(recorded(n, day=1 + n // 9, start_at=start(n), km=1.0) for n in range(1, 200)))
    seen: list[int] = []
    until: str | None = None
    while True:
        page = await verdicts(client, **({"until": until} if until else {}))
        days = {activity["local_start"][:10] for activity in page["activities"]}
        seen += [activity["strava_id"] for activity in page["activities"]]
        until = page["next_until"]
        if until is None:
            break
        assert until not in days
    assert sorted(seen) == list(range(1, 200))


def start(number: int) -> datetime:
    return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=70 * number)


async def test_an_exclusion_takes_effect_at_once_and_survives_changes_on_strava(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1, km=10.0), recorded(2, day=2, km=5.0))
    assert await choose(client, "PUT", 1, "exclusion") == 204
    assert await choose(client, "PUT", 1, "exclusion") == 204
    assert await metres(database) == {("running", ANNA.int): 5000}
    await handle(database, revised(1, 2, km=30.0))
    await handle(database, removed(1, 3))
    await handle(database, recorded(1, 4, km=40.0))
    assert await metres(database) == {("running", ANNA.int): 5000}
    assert (await reasons(client))[1] == "excluded_by_participant"
    assert await choose(client, "DELETE", 1, "exclusion") == 204
    assert await metres(database) == {("running", ANNA.int): 45_000}


async def test_excluding_one_of_a_pair_lets_the_other_count(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, recorded(1, km=10.0), recorded(2, km=9.0))
    await choose(client, "PUT", 1, "exclusion")
    assert await metres(database) == {("running", ANNA.int): 9000}


async def test_the_preferred_one_of_a_pair_counts_until_another_is_preferred(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1, km=10.0), recorded(2, km=9.0), recorded(3, km=8.0))
    assert await choose(client, "PUT", 3, "preference") == 204
    assert await metres(database) == {("running", ANNA.int): 8000}
    await handle(database, revised(3, 2, km=7.0))
    assert await metres(database) == {("running", ANNA.int): 7000}
    await choose(client, "PUT", 2, "preference")
    assert await metres(database) == {("running", ANNA.int): 9000}
    await choose(client, "DELETE", 2, "preference")
    assert await metres(database) == {("running", ANNA.int): 10_000}


async def test_nobody_chooses_for_somebody_else(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, recorded(1))
    assert await choose(client, "PUT", 1, "exclusion", JAN) == 404
    assert await choose(client, "PUT", 99, "exclusion") == 404
    strangers = httpx.ASGITransport(create_app(database))
    async with httpx.AsyncClient(transport=strangers, base_url="http://board.test") as stranger:
        assert await choose(stranger, "PUT", 1, "exclusion") == 403
        assert (await stranger.get(f"/challenges/main/participants/{ANNA}/verdicts")).status_code == 404
    answer = await client.get(f"/challenges/main/participants/{ANNA}/verdicts", headers=as_user(JAN))
    assert answer.status_code == 404


async def test_an_organiser_excludes_with_a_reason_that_the_owner_reads_and_it_is_audited(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1, km=200.0))
    path = "/admin/activities/1/exclusion"
    assert (await client.put(path, json={"reason": "A car."})).status_code == 403  # names no organiser
    assert (await client.put(path, headers=ORGANISER, json={"reason": ""})).status_code == 422
    assert (await client.put(path, headers=ORGANISER, json={"reason": "A car."})).status_code == 204
    assert await list_standings(database) == {}
    [activity] = (await verdicts(client))["activities"]
    assert (activity["exclusion_reason"], activity["boards"][0]["reason"]) == ("A car.", "excluded_by_organiser")
    assert await choose(client, "DELETE", 1, "exclusion") == 204  # the owner has nothing to take back
    assert await list_standings(database) == {}
    assert (await client.delete(path, headers=ORGANISER)).status_code == 204
    assert await metres(database) == {("running", ANNA.int): 200_000}
    entries = await fetch_rows(database, "select actor, action, subject, details from audit_log order by id")
    assert [tuple(entry) for entry in entries] == [
        (f"user {UUID(int=77)}", "activity.excluded", "1", {"user_id": str(ANNA), "reason": "A car."}),
        (f"user {UUID(int=77)}", "activity.included", "1", {"user_id": str(ANNA)}),
    ]
    await handle(database, erased(ANNA))
    entries = await fetch_rows(database, "select subject, details from audit_log")
    assert {(entry.subject, str(entry.details)) for entry in entries} == {("an erased user", "{}")}


async def test_private_activities_count_once_their_owner_chose_so_and_organisers_see_only_their_sum(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1, visibility="only_me", km=10.0), recorded(2, day=2, km=5.0))
    assert await metres(database) == {("running", ANNA.int): 5000}
    assert (await client.put(f"/participants/{ANNA}/private-activities", json={"count": True})).status_code == 204
    assert await metres(database) == {("running", ANNA.int): 15_000}
    assert [one["strava_id"] for one in (await verdicts(client))["activities"]] == [2, 1]
    answer = await client.get(f"/challenges/main/participants/{ANNA}/verdicts", headers=ORGANISER)
    assert [one["strava_id"] for one in answer.json()["activities"]] == [2]
    assert answer.json()["private"] == [{"board": "running", "activities": 1, "value": 10_000.0}]
    found = await client.get("/admin/activities", headers=ORGANISER)
    assert [one["strava_id"] for one in found.json()["activities"]] == [2]
    await client.put(f"/participants/{ANNA}/private-activities", json={"count": False})
    assert await metres(database) == {("running", ANNA.int): 5000}


async def test_points_are_explained_with_the_cap_and_the_bonus(client: httpx.AsyncClient, database: Database) -> None:
    rule = '{"unit": "distance", "per_unit": {"Run": "1.5"}, "daily_cap": "20", "active_day_bonus": "3"}'
    await handle(database, recorded(1, km=10.0))
    await execute(
        database,
        """update board_versions set metric = 'points', points = cast(:rule as jsonb), sport_types = '{Run}'
           where board_id = (select id from boards where slug = 'running')""",
        rule=rule,
    )
    await handle(database, recorded(2, km=5.123, start_at=datetime(2026, 5, 1, 15, tzinfo=UTC)), recorded(3, day=2))
    page = await verdicts(client)
    by_id = {activity["strava_id"]: activity["boards"][0] for activity in page["activities"]}
    assert (by_id[2]["value"], by_id[2]["units"], by_id[2]["points_per_unit"]) == (7.68, 5.123, 1.5)
    assert page["points"] == [
        {"board": "running", "day": "2026-05-01", "counted": 22.68, "daily_cap": 20.0, "bonus": 3.0, "points": 23.0},
        {"board": "running", "day": "2026-05-02", "counted": 15.0, "daily_cap": 20.0, "bonus": 3.0, "points": 18.0},
    ]
    rows = await fetch_rows(database, "select day, points from daily_totals where points > 0 order by day")
    assert [float(row.points) for row in rows] == [23.0, 18.0]


async def test_organisers_find_activities_by_person_sport_and_day(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1), recorded(2, day=9, sport_type="Ride"), recorded(3, user_id=JAN, day=2))

    async def found(**parameters: Any) -> list[int]:
        answer = await client.get("/admin/activities", headers=ORGANISER, params=parameters)
        assert answer.status_code == 200
        return [one["strava_id"] for one in answer.json()["activities"]]

    assert await found() == [2, 3, 1]
    assert await found(user_id=str(ANNA)) == [2, 1]
    assert await found(sport_type="Ride") == [2]
    assert await found(sport_type="Ride", user_id=str(JAN)) == []
    assert await found(first_day="2026-05-02") == [2, 3]
    assert await found(last_day="2026-05-02") == [3, 1]
    assert await found(first_day="2026-05-02", last_day="2026-05-02") == [3]
    await handle(database, revised(1, 2, km=20.0, suspicions=("impossible_speed", "absurd_distance")))
    assert (await found(suspicious=True), await found(suspicious=False)) == ([1], [2, 3])
    assert await found(suspicious=True, user_id=str(JAN)) == []
    *_, last = (await client.get("/admin/activities", headers=ORGANISER)).json()["activities"]
    assert last["suspicions"] == ["impossible_speed", "absurd_distance"]
    assert (await client.get("/admin/activities")).status_code == 403


async def test_organisers_read_activities_page_by_page_from_the_newest_on(
    client: httpx.AsyncClient, database: Database
) -> None:
    starts = {1: (5, 0), 2: (9, 0), 3: (5, 0), 4: (2, 1), 5: (2, 0)}  # ids -> day and microsecond
    moments = {n: datetime(2026, 5, day, 8, 0, 0, more) for n, (day, more) in starts.items()}  # noqa: DTZ001
    await handle(database, *(recorded(n, local_start=start) for n, start in moments.items()))

    async def page(after: str | None, **parameters: Any) -> tuple[list[int], str | None]:
        wanted = {**parameters, "limit": 2} | ({"after": after} if after else {})
        answer = await client.get("/admin/activities", headers=ORGANISER, params=wanted)
        assert answer.status_code == 200, answer.text
        return [one["strava_id"] for one in answer.json()["activities"]], answer.json()["next_after"]

    first, after = await page(None)
    await handle(database, recorded(6, day=12))  # what comes meanwhile moves nothing
    second, later = await page(after)
    third, end = await page(later)
    assert (first, second, third, end) == ([2, 3], [1, 4], [5], None)
    assert await page(after, last_day="2026-05-02") == ([4, 5], "2026-05-02T08:00:00_5")
    assert await page(after, last_day="2026-05-31") == ([1, 4], later)
    assert await page("2026-05-31T00:00:00_1", first_day="2026-05-06", last_day="2026-05-10") == ([2], None)


@pytest.mark.parametrize(
    "after", ["1", "", "2026-05-02T08:00:00", "2026-02-30T08:00:00_1", f"2026-05-02T08:00:00_{2**63}", "_1"]
)
async def test_a_page_that_begins_nowhere_is_a_422(client: httpx.AsyncClient, after: str) -> None:
    for path in ("/admin/activities", "/admin/activities.csv"):
        answer = await client.get(path, headers=ORGANISER, params={"after": after})
        assert answer.status_code == 422


async def test_organisers_download_all_that_they_find_and_no_spreadsheet_runs_it(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.verdicts.routes.EXPORT_PAGE", 2)
    await handle(database, authorized(name="=1+1", minute=9), *(recorded(n, day=n) for n in range(1, 6)))
    await handle(database, recorded(9, visibility="only_me"))
    answer = await client.get("/admin/activities.csv", headers=ORGANISER, params={"limit": 1})
    titles, *lines = answer.text.splitlines()
    assert titles.startswith("strava_id,user_id,display_name,sport_type")
    assert [line.split(",")[0] for line in lines] == ["5", "4", "3", "2", "1"]
    assert all(line.split(",")[2] == "'=1+1" for line in lines)
    later = {"limit": 1, "after": "2026-05-05T08:00:00_5"}
    answer = await client.get("/admin/activities.json", headers=ORGANISER, params=later)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="activities.json"'
    listed = await client.get("/admin/activities", headers=ORGANISER, params={"after": later["after"]})
    assert answer.json() == listed.json()["activities"]
    assert [each["strava_id"] for each in answer.json()] == [4, 3, 2, 1]
    for path in ("/admin/activities.csv", "/admin/activities.json"):
        assert (await client.get(path)).status_code == 403
        assert (await client.get(path, headers=ORGANISER, params={"limit": "many"})).status_code == 422


async def test_what_was_chosen_about_activities_of_who_is_erased_is_erased(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1), recorded(2))
    await choose(client, "PUT", 1, "exclusion")
    await choose(client, "PUT", 2, "preference")
    await handle(database, erased(ANNA))
    assert await fetch_rows(database, "select 1 from exclusions union all select 1 from preferred_activities") == []
