"""The admin API of challenges and boards."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import WEB_KEY, add_challenge, build, clear_outbox, create_app, handle, metres

from leaderboard.names import fold_name
from leaderboard.versions.use_cases import build_next, delete_retired
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded
from testkit.handling import emitted

ORGANISER = UUID(int=77)
WEB = {"Authorization": f"Bearer {WEB_KEY}"}
AS_ORGANISER = {**WEB, "Gruppetto-User": str(ORGANISER), "Gruppetto-Organiser": "true"}
RUNNING = {"slug": "runs", "name": "Runs", "metric": "distance", "sport_types": ["Run"]}
POINTS: dict[str, Any] = {
    "metric": "points",
    "sport_types": ["Run", "Ride"],
    "points": {"unit": "distance", "per_unit": {"Run": "3", "Ride": "1"}, "daily_cap": "60", "active_day_bonus": "5"},
}
NEW: dict[str, Any] = {
    "slug": "spring",
    "name": "Spring",
    "first_day": "2026-05-01",
    "last_day": "2026-05-31",
    "visibility": "public",
    "boards": [RUNNING],
}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=AS_ORGANISER) as client:
        yield client


async def create(client: httpx.AsyncClient, **changed: Any) -> dict[str, Any]:
    answer = await client.post("/admin/challenges", json={**NEW, **changed})
    assert answer.status_code == 201, answer.text
    state: dict[str, Any] = answer.json()
    return state


def edit_of(state: dict[str, Any], **changed: Any) -> dict[str, Any]:
    names = ("name", "first_day", "last_day", "counts_manual", "counts_trainer", "counts_commute", "time_zone")
    kept = {name: state[name] for name in (*names, "visibility", "announcement", "edition")}
    return {**kept, **changed}


async def rows(client: httpx.AsyncClient, path: str) -> list[tuple[str, float]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return [(row["display_name"], row["distance_m"]) for row in answer.json()["rows"]]


async def audited(database: Database) -> list[str]:
    return [row.action for row in await fetch_rows(database, "select action from audit_log order by id")]


async def test_a_challenge_of_activities_that_are_here_is_shown_as_soon_as_it_is_built(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, authorized(), recorded(1, km=12.0), recorded(2, sport_type="Ride", day=2))
    state = await create(client)
    assert state["boards"][0]["is_building"]
    assert (await client.get("/challenges/spring/boards/runs")).status_code == 404
    await build(database)
    assert await rows(client, "/challenges/spring/boards/runs") == [("Anna K.", 12_000.0)]
    [state] = (await client.get("/admin/challenges")).json()
    assert (state["boards"][0]["metric"], state["boards"][0]["is_building"]) == ("distance", False)
    assert await audited(database) == ["challenge.created"]


async def test_organisers_see_by_which_rules_a_challenge_will_be_shown(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, authorized(), recorded(1, km=12.0))
    state = await create(client)
    assert state["next_rules"]["first_day"] == "2026-05-01"
    await build(database)
    [state] = (await client.get("/admin/challenges")).json()
    assert (state["next_rules"], state["boards"][0]["next_rules"]) == (None, None)
    wanted = edit_of(state, first_day="2026-05-02", counts_manual=False)
    state = (await client.put("/admin/challenges/spring", json=wanted)).json()
    rules = {"name": "Runs", "edition": state["edition"], **POINTS}
    state = (await client.put("/admin/challenges/spring/boards/runs", json=rules)).json()
    assert state["first_day"] == "2026-05-01"
    assert (state["next_rules"]["first_day"], state["next_rules"]["counts_manual"]) == ("2026-05-02", False)
    board = state["boards"][0]
    assert (board["metric"], board["next_rules"]["metric"]) == ("distance", "points")
    assert board["next_rules"]["points"]["per_unit"] == {"Ride": "1", "Run": "3"}


@pytest.mark.parametrize("visibility", ["public", "members", "hidden"])
async def test_a_challenge_is_seen_by_whom_it_is_for(
    client: httpx.AsyncClient, database: Database, visibility: str
) -> None:
    await handle(database, authorized())
    await create(client, visibility=visibility)
    seen = {}
    for who, headers in {
        "stranger": {"Authorization": ""},
        "liar": {"Authorization": "Bearer no", "Gruppetto-Organiser": "true", "Gruppetto-User": str(ANNA)},
        "newcomer": {**WEB, "Gruppetto-User": str(JAN), "Gruppetto-Organiser": "false"},
        "participant": {**WEB, "Gruppetto-User": str(ANNA), "Gruppetto-Organiser": "false"},
        "organiser": AS_ORGANISER,
    }.items():
        paths = ("/challenges/spring", "/challenges/spring/boards/runs", "/challenges/spring/milestones")
        answers = [(await client.get(path, headers=headers)).status_code for path in (*paths, "/challenges/current")]
        assert len(set(answers)) == 1, who
        seen[who] = answers[0] == 200
        listed = (await client.get("/challenges", headers=headers)).json()
        assert [each["slug"] for each in listed] == ["spring"] * seen[who]
    everybody = dict.fromkeys(("stranger", "liar", "newcomer"), visibility == "public")
    assert seen == {**everybody, "participant": visibility != "hidden", "organiser": True}


async def test_all_challenges_are_listed_as_each_is_shown_and_the_current_one_is_the_first(
    client: httpx.AsyncClient, database: Database
) -> None:
    marathon = {**RUNNING, "slug": "marathon", "name": "Marathon", "threshold": "42195"}
    june = {"first_day": "2026-06-01", "last_day": "2026-06-30"}
    more = {**RUNNING, "slug": "more", "name": "More"}
    await handle(database, authorized(), recorded(1))
    await create(client, slug="june", name="June", **june, boards=[RUNNING, more, marathon])
    await create(client, slug="april", name="April", first_day="2026-04-01", visibility="members")
    await create(client)
    await create(client, slug="autumn", name="Autumn", **june, visibility="hidden", team_size=12)
    await build(database)
    await create(client, slug="winter", name="Winter", first_day="2026-01-01")  # whose board is not built yet
    listed = (await client.get("/challenges")).json()
    assert [each["slug"] for each in listed] == ["autumn", "june", "winter", "spring", "april"]
    assert [(len(each["boards"]), each["milestones"]) for each in listed] == [(1, 0), (2, 1), (0, 0), (1, 0), (1, 0)]
    assert [each["team_size"] for each in listed] == [12, 5, 5, 5, 5]
    assert listed == [(await client.get(f"/challenges/{each['slug']}")).json() for each in listed]
    assert listed[0] == (await client.get("/challenges/current")).json()
    as_stranger = (await client.get("/challenges", headers={"Authorization": ""})).json()
    assert as_stranger == [each for each in listed if each["visibility"] == "public"]


async def test_without_a_challenge_none_is_listed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/challenges")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_other_rules_are_shown_at_once_when_they_are_built_and_not_before(
    client: httpx.AsyncClient, database: Database
) -> None:
    state = await create(client)
    await handle(database, authorized(), recorded(1, day=3), recorded(2, day=20), recorded(3, day=21, trainer=True))
    answer = await client.put(
        "/admin/challenges/spring", json=edit_of(state, first_day="2026-05-10", counts_trainer=True, name="Late May")
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["first_day"]) == ("Late May", "2026-05-01")
    assert await build_next(database)
    assert await rows(client, "/challenges/spring/boards/runs") == [("Anna K.", 20_000.0)]
    assert (await client.get("/challenges/spring")).json()["first_day"] == "2026-05-01"
    await build(database)
    assert await rows(client, "/challenges/spring/boards/runs") == [("Anna K.", 20_000.0)]
    board = (await client.get("/challenges/spring/boards/runs")).json()
    assert (board["challenge"]["first_day"], board["rows"][0]["activities"]) == ("2026-05-10", 2)


async def test_of_two_organisers_who_edit_at_once_the_second_is_told(
    client: httpx.AsyncClient, database: Database
) -> None:
    state = await create(client)
    edits = [edit_of(state, name=name) for name in ("One", "Two", "Three")]
    answers = await asyncio.gather(*(client.put("/admin/challenges/spring", json=edit) for edit in edits))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["message"].startswith("Somebody else has changed the challenge meanwhile.")
    assert await audited(database) == ["challenge.created", "challenge.edited"]


async def test_of_two_who_create_the_same_at_once_one_is_told(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/admin/challenges", json=NEW) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_preview_is_what_the_board_becomes_and_shows_nothing_before(
    client: httpx.AsyncClient, database: Database
) -> None:
    await create(client)
    await handle(database, authorized(), authorized(JAN, "Jan"))
    await handle(database, recorded(1, km=30.0), recorded(2, user_id=JAN, sport_type="Ride", km=50.0))
    path = "/admin/challenges/spring/boards/runs"
    assert (await client.get(f"{path}/preview")).status_code == 404
    assert (await client.put(f"{path}/preview", json=POINTS)).status_code == 202
    assert (await client.get(f"{path}/preview")).json() == {"is_built": False, "rows": []}
    await handle(database, recorded(3, day=2, km=10.0))
    await build(database)
    preview = (await client.get(f"{path}/preview")).json()
    assert [(row["display_name"], row["points"]) for row in preview["rows"]] == [("Anna K.", 100.0), ("Jan", 55.0)]
    assert await rows(client, "/challenges/spring/boards/runs") == [("Anna K.", 40_000.0)]
    edition = (await client.get("/admin/challenges/spring")).json()["edition"]
    answer = await client.put(path, json={"name": "Points", "edition": edition, **POINTS})
    assert answer.status_code == 200, answer.text
    await build(database)
    shown = (await client.get("/challenges/spring/boards/runs")).json()
    assert (shown["board"]["name"], shown["board"]["metric"]) == ("Points", "points")
    assert [(row["place"], row["user_id"]) for row in shown["rows"]] == [
        (row["place"], row["user_id"]) for row in preview["rows"]
    ]


async def test_a_clone_has_the_boards_and_rules_of_the_other_days_and_is_hidden(
    client: httpx.AsyncClient, database: Database
) -> None:
    await create(client, boards=[RUNNING, {"slug": "points", "name": "Points", **POINTS}], counts_trainer=True)
    june = {"slug": "june", "name": "June", "first_day": "2026-06-01", "last_day": "2026-06-30"}
    answer = await client.post("/admin/challenges/spring/clone", json=june)
    assert answer.status_code == 201, answer.text
    source, clone = (await client.get("/admin/challenges")).json()
    assert clone["boards"] == source["boards"]
    assert (clone["visibility"], clone["counts_trainer"], clone["first_day"]) == ("hidden", True, "2026-06-01")


async def test_a_board_can_be_added_and_deleted_and_nothing_of_it_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    await create(client)
    await handle(database, authorized(), recorded(1, sport_type="Ride"))
    rides = {**RUNNING, "slug": "rides", "name": "Rides", "sport_types": ["Ride"]}
    assert (await client.post("/admin/challenges/spring/boards", json=rides)).status_code == 201
    assert (await client.post("/admin/challenges/spring/boards", json=rides)).status_code == 409
    await build(database)
    assert await rows(client, "/challenges/spring/boards/rides") == [("Anna K.", 10_000.0)]
    await clear_outbox(database)
    assert (await client.delete("/admin/challenges/spring/boards/rides")).status_code == 204
    assert (await client.get("/challenges/spring/boards/rides")).status_code == 404
    [(_, told)] = await emitted(database, "standings.changed")
    assert "rides" in told["boards"]
    while await delete_retired(database):
        pass
    assert await fetch_rows(database, "select 1 from standings union all select 1 from daily_totals") == []


async def test_a_challenge_that_is_deleted_or_hidden_is_told_and_gone(
    client: httpx.AsyncClient, database: Database
) -> None:
    state = await create(client)
    await handle(database, authorized(), recorded(1))
    await clear_outbox(database)
    await client.put("/admin/challenges/spring", json=edit_of(state, visibility="hidden"))
    strangers = await client.get("/challenges/spring/boards/runs", headers={"Authorization": ""})
    assert strangers.status_code == 404
    assert (await client.delete("/admin/challenges/spring")).status_code == 204
    assert (await client.get("/challenges/spring/boards/runs")).status_code == 404
    assert [event["boards"] for _, event in await emitted(database, "standings.changed")] == [["runs"], ["runs"]]
    while await delete_retired(database):
        pass
    assert await fetch_rows(database, "select 1 from standings union all select 1 from board_versions") == []


async def test_closed_results_do_not_change_and_their_digest_proves_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    await create(client)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1, km=10.0), recorded(2, user_id=JAN))
    await clear_outbox(database)
    answer = await client.post("/admin/challenges/spring/close")
    assert answer.status_code == 200, answer.text
    closed = answer.json()
    assert closed["is_unchanged"]
    [(_, told)] = await emitted(database, "challenge.closed")
    assert told["digest"] == closed["digest"] == digest_of("spring", closed["rows"])
    assert sorted((row["place"], row["display_name"]) for row in closed["rows"]) == [(1, "Anna K."), (1, "Jan")]
    await handle(database, recorded(9, day=9, km=50.0))
    await build(database)
    assert (await client.get("/challenges/spring/results")).json() == closed
    assert set((await metres(database)).values()) == {10_000}
    await handle(database, erased(ANNA))
    after = (await client.get("/challenges/spring/results")).json()
    assert after["is_unchanged"]
    assert sorted(str(row["display_name"]) for row in after["rows"]) == ["Jan", "None"]
    await execute(database, "update final_standings set distance_m = distance_m + 1 where user_id is null")
    assert not (await client.get("/challenges/spring/results")).json()["is_unchanged"]


def digest_of(challenge: str, rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{row['board']}\t{row['place']}\t{row['participant']}\t{row['distance_m']:.2f}\t{row['moving_time_s']}"
        f"\t{row['elev_gain_m']:.2f}\t{row['activities']}\t{row['points']:.2f}"
        for row in sorted(rows, key=lambda row: (row["board"], row["place"], row["participant"]))
    ]
    return hashlib.sha256(("\n".join([challenge, *lines]) + "\n").encode()).hexdigest()


async def test_a_closed_challenge_takes_no_other_rules_but_another_name(
    client: httpx.AsyncClient, database: Database
) -> None:
    await create(client)
    assert (await client.post("/admin/challenges/spring/close")).status_code == 200
    state = (await client.get("/admin/challenges/spring")).json()
    path = "/admin/challenges/spring"
    assert (await client.post(f"{path}/close")).status_code == 409
    assert (await client.put(path, json=edit_of(state, last_day="2026-06-01"))).status_code == 409
    assert (await client.post(f"{path}/boards", json={**RUNNING, "slug": "x", "name": "X"})).status_code == 409
    assert (await client.delete(f"{path}/boards/runs")).status_code == 409
    assert (await client.put(f"{path}/boards/runs/preview", json=POINTS)).status_code == 409
    board = {key: value for key, value in RUNNING.items() if key != "slug"}
    wrong = {**board, "sport_types": ["Ride"], "edition": state["edition"]}
    assert (await client.put(f"{path}/boards/runs", json=wrong)).status_code == 409
    renamed = await client.put(f"{path}/boards/runs", json={**board, "name": "Running", "edition": state["edition"]})
    assert renamed.status_code == 200, renamed.text
    assert (await client.put(path, json=edit_of(renamed.json(), name="Spring 2026"))).status_code == 200


async def test_a_challenge_that_is_not_over_is_not_closed(client: httpx.AsyncClient) -> None:
    today = datetime.now(UTC).date()
    await create(client, first_day="2026-01-01", last_day=str(today.replace(year=today.year + 1, day=1)))
    answer = await client.post("/admin/challenges/spring/close")
    assert (answer.status_code, answer.json()["message"]) == (409, "The challenge is not over yet.")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"first_day": "2026-06-01"}, "last_day must not be before first_day"),
        ({"last_day": "2036-06-01"}, "at most 1100 days"),
        ({"first_day": "1999-12-31"}, "first_day"),
        ({"first_day": "tomorrow"}, "first_day"),
        ({"slug": "Spring!"}, "slug"),
        ({"slug": "current"}, "cannot be used"),
        ({"slug": "a" * 41}, "slug"),
        ({"name": "   "}, "name"),
        ({"name": "two\nlines"}, "printable"),
        ({"time_zone": "Mars/Base"}, "time zone"),
        ({"visibility": "secret"}, "visibility"),
        ({"colour": "red"}, "colour"),
        ({"boards": [{**RUNNING, "sport_types": ["Quidditch"]}]}, "'Quidditch' is not a sport type of Strava"),
        ({"boards": [{**RUNNING, "sport_types": []}]}, "sport_types"),
        ({"boards": [{**RUNNING, "sport_types": ["Run", "Run"]}]}, "twice"),
        ({"boards": [{**RUNNING, "metric": "points"}]}, "points must be given"),
        ({"boards": [{**RUNNING, "points": POINTS["points"]}]}, "points must be given when"),
        ({"boards": [{**RUNNING, "threshold": "-1"}]}, "threshold"),
        ({"boards": [{**RUNNING, **POINTS, "sport_types": ["Run"]}]}, "per_unit must name each"),
        (
            {"boards": [{**RUNNING, **POINTS, "points": {**POINTS["points"], "daily_cap": "-1"}}]},
            "daily_cap",
        ),
        ({"boards": [{**RUNNING, **POINTS, "points": {**POINTS["points"], "unit": "points"}}]}, "unit must be"),
    ],
)
async def test_bad_input_is_refused_with_the_field_and_a_sentence(
    client: httpx.AsyncClient, changed: dict[str, Any], told: str
) -> None:
    answer = await client.post("/admin/challenges", json={**NEW, **changed})
    assert answer.status_code == 422
    assert told in answer.json()["message"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "slug: There is a challenge with this slug already."),
        ({"slug": "other", "name": "  SPRING "}, "name: There is a challenge with this name already."),
        (
            {"slug": "x", "name": "X", "boards": [RUNNING, {**RUNNING, "name": "Y"}]},
            "slug: There is a board or milestone with this slug already.",
        ),
        (
            {"slug": "x", "name": "X", "boards": [RUNNING, {**RUNNING, "slug": "y", "name": "RUNS"}]},
            "name: There is a board or milestone with this name already.",
        ),
    ],
)
async def test_names_that_are_taken_are_refused(
    client: httpx.AsyncClient, changed: dict[str, Any], told: str
) -> None:
    await create(client)
    answer = await client.post("/admin/challenges", json={**NEW, **changed})
    assert (answer.status_code, answer.json()["message"]) == (409, told)


def test_names_that_differ_in_case_width_accents_or_spaces_alone_are_one() -> None:
    assert fold_name("\uff33pring  \u0141o\u0301d\u017a") == fold_name(" sPRING \u0142\u00f3dz\u0301")
    assert fold_name("Straße") == fold_name("STRASSE")


async def test_nobody_but_an_organiser_changes_anything(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    for headers in ({"Authorization": ""}, {"Gruppetto-Organiser": "false"}, {"Authorization": "Bearer guess"}):
        for method, path in (
            ("GET", "/admin/challenges"),
            ("POST", "/admin/challenges"),
            ("DELETE", "/admin/challenges/main"),
            ("POST", "/admin/challenges/main/close"),
            ("GET", "/admin/retention"),
        ):
            answer = await client.request(method, path, headers=headers, json=NEW if method == "POST" else None)
            assert answer.status_code == 403, (headers, path)
    assert await audited(database) == []


async def test_retention_is_told_by_challenge(client: httpx.AsyncClient) -> None:
    await create(client)
    assert (await client.get("/admin/retention")).json() == {
        "kept_from": None,
        "challenges": {"spring": "2026-08-30"},
    }
