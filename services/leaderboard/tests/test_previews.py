"""Previews of boards and milestones that do not exist yet."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import (
    ORGANISER,
    WEB_KEY,
    add_challenge,
    build,
    clear_outbox,
    create_app,
    handle,
    recalculate,
)

from leaderboard.milestones.use_cases import update_milestones
from leaderboard.standings.use_cases import announce_changes
from leaderboard.versions.use_cases import build_next, delete_retired, publish_complete, retire_old_previews
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded
from testkit.handling import emitted

EVA = UUID(int=3)
PATH = "/admin/challenges/main/previews"
DISTANCE: dict[str, Any] = {"metric": "distance", "sport_types": ["Run", "Ride"]}
POINTS: dict[str, Any] = {
    "metric": "points",
    "sport_types": ["Run", "Ride"],
    "points": {"unit": "distance", "per_unit": {"Run": "3", "Ride": "1"}, "daily_cap": "60", "active_day_bonus": "5"},
}
MARATHON: dict[str, Any] = {"metric": "distance", "sport_types": ["Run"], "threshold": "42195"}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """An organiser, while three people take part, of whom two are in a team."""
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), authorized(EVA, "Ewa"))
    await handle(
        database,
        *(recorded(1, km=30.0), recorded(2, day=2, km=15.0), recorded(3, user_id=JAN, sport_type="Ride", km=50.0)),
        *(recorded(4, user_id=EVA, km=30.0), recorded(5, user_id=EVA, day=3, sport_type="Swim", km=3.0)),
    )
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        teams = f"/participants/{ANNA}/challenges/main/teams"
        team = (await client.post(teams, json={"name": "Owls"})).json()["id"]
        await client.post(f"/participants/{JAN}/challenges/main/teams/{team}/join")
        yield client


async def begin(client: httpx.AsyncClient, rules: dict[str, Any]) -> int:
    answer = await client.post(PATH, json=rules)
    assert answer.status_code == 202, answer.text
    preview_id: int = answer.json()["id"]
    return preview_id


async def read(client: httpx.AsyncClient, preview_id: int) -> dict[str, Any]:
    answer = await client.get(f"{PATH}/{preview_id}")
    assert answer.status_code == 200, answer.text
    preview: dict[str, Any] = answer.json()
    return preview


async def add(client: httpx.AsyncClient, rules: dict[str, Any]) -> None:
    answer = await client.post("/admin/challenges/main/boards", json={"slug": "new", "name": "New", **rules})
    assert answer.status_code == 201, answer.text


async def list_states(database: Database) -> list[str]:
    """Of the previews, the one that was made first, first."""
    rows = await fetch_rows(database, "select state from board_versions where purpose = 'preview' order by id")
    return [row.state for row in rows]


@pytest.mark.parametrize("rules", [DISTANCE, POINTS, {**DISTANCE, "metric": "activities"}])
async def test_a_new_board_is_what_its_preview_was(
    client: httpx.AsyncClient, database: Database, rules: dict[str, Any]
) -> None:
    preview_id = await begin(client, rules)
    assert await read(client, preview_id) == {"is_built": False, "rows": []}
    await handle(database, recorded(6, day=4, km=12.0))
    await build(database)
    await handle(database, recorded(7, user_id=EVA, day=5, km=7.0))
    preview = await read(client, preview_id)
    assert preview["is_built"]
    assert {row["display_name"] for row in preview["rows"]} == {"Anna K.", "Jan", "Ewa"}
    assert {row["team_name"] for row in preview["rows"]} == {"Owls", None}
    await add(client, rules)
    assert not await build_next(database), "it is computed already"
    assert await publish_complete(database)
    assert (await client.get("/challenges/main/boards/new")).json()["rows"] == preview["rows"]
    assert (await client.get(f"{PATH}/{preview_id}")).status_code == 404
    assert await list_states(database) == []
    await handle(database, recorded(8, day=6, km=2.0))
    shown = (await client.get("/challenges/main/boards/new")).json()["rows"]
    assert await compute(client, database, rules) == shown, "events keep it current"


async def compute(client: httpx.AsyncClient, database: Database, rules: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a preview that is computed from all activities now."""
    preview_id = await begin(client, rules)
    await build(database)
    rows: list[dict[str, Any]] = (await read(client, preview_id))["rows"]
    return rows


async def test_a_new_milestone_is_what_its_preview_was_and_is_reached_only_then(
    client: httpx.AsyncClient, database: Database
) -> None:
    await clear_outbox(database)
    preview_id = await begin(client, MARATHON)
    await build(database)
    await update_milestones(database)
    rows = (await read(client, preview_id))["rows"]
    assert [(row["display_name"], row["distance_m"]) for row in rows] == [("Anna K.", 45_000.0), ("Ewa", 30_000.0)]
    assert await emitted(database, "milestone.reached") == []
    await add(client, MARATHON)
    await build(database)
    await update_milestones(database)
    milestone = (await client.get("/challenges/main/milestones/new")).json()
    assert [row["display_name"] for row in milestone["rows"]] == ["Anna K."]
    assert [event["milestone"] for _, event in await emitted(database, "milestone.reached")] == ["new"]


async def test_nothing_of_a_preview_is_seen_anywhere_else(client: httpx.AsyncClient, database: Database) -> None:
    as_anna = {**ORGANISER, "Gruppetto-Organiser": "false"}
    stranger = {"Authorization": "", "Gruppetto-User": "", "Gruppetto-Organiser": ""}
    asked = [
        *("/challenges", "/challenges/current", "/challenges/main", "/challenges/main/boards/running"),
        *("/challenges/main/boards/running.csv", "/challenges/main/milestones", "/challenges/main/teams"),
        *("/challenges/main/teams/1", "/challenges/main/boards/running/teams", "/challenges/main/results"),
        *(f"/challenges/main/participants/{ANNA}", f"/challenges/main/participants/{ANNA}/verdicts"),
        *(f"/participants/{ANNA}/export", "/admin/challenges", "/admin/challenges/main"),
        *("/challenges/main/boards/", "/challenges/main/boards/None", "/challenges/main/milestones/None"),
    ]

    async def look() -> list[tuple[int, str, str | None]]:
        answers = [
            await client.get(path, headers=headers)
            for path in asked
            for headers in (ORGANISER, as_anna, {k: v for k, v in stranger.items() if v or k == "Authorization"})
        ]
        return [(answer.status_code, answer.text, answer.headers.get("etag")) for answer in answers]

    await announce_changes(database, datetime.now(UTC))
    await clear_outbox(database)
    before = await look()
    assert sum(status == 200 for status, _, _ in before) > len(asked)
    for rules in (DISTANCE, POINTS, MARATHON):
        await begin(client, rules)
    assert await look() == before
    await build(database)
    await update_milestones(database)
    assert await look() == before
    assert await fetch_rows(database, "select 1 from outbox union all select 1 from rank_history") == []
    assert await fetch_rows(database, "select 1 from board_changes union all select 1 from milestone_changes") == []


async def test_the_same_rules_are_one_preview_and_other_rules_another_even_at_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    wanted = [DISTANCE, POINTS, {**DISTANCE, "sport_types": ["Ride", "Run"]}, DISTANCE, MARATHON, POINTS]
    ids = await asyncio.gather(*(begin(client, rules) for rules in wanted))
    assert ids[0] == ids[2] == ids[3]
    assert ids[1] == ids[5]
    assert len(set(ids)) == 3
    await build(database)
    names = [[row["display_name"] for row in (await read(client, each))["rows"]] for each in ids[:2]]
    assert names == [["Jan", "Anna K.", "Ewa"], ["Anna K.", "Ewa", "Jan"]]
    later = {"first_day": "2026-05-02", "last_day": "2026-05-31"}
    other_days = await begin(client, {**DISTANCE, "challenge": later})
    assert other_days not in ids
    await build(database)
    assert [row["display_name"] for row in (await read(client, other_days))["rows"]] == ["Anna K."]


async def test_of_a_challenge_the_previews_that_were_asked_for_last_are_kept(
    client: httpx.AsyncClient, database: Database
) -> None:
    ids = [await begin(client, {**MARATHON, "threshold": str(metres)}) for metres in range(1, 6)]
    assert await begin(client, {**MARATHON, "threshold": "1"}) == ids[0], "which is the last now"
    await begin(client, DISTANCE)
    assert await list_states(database) == ["building", "retired", *["building"] * 4]
    found = [(await client.get(f"{PATH}/{each}")).status_code for each in ids]
    assert found == [200, 404, 200, 200, 200]


async def test_a_preview_is_over_after_a_day_unless_it_is_asked_for_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    first, second = await begin(client, DISTANCE), await begin(client, POINTS)
    await execute(database, "update board_versions set created_at = created_at - interval '25 hours'")
    assert await begin(client, POINTS) == second
    await retire_old_previews(database, datetime.now(UTC))
    assert (await client.get(f"{PATH}/{first}")).status_code == 404
    assert (await client.get(f"{PATH}/{second}")).status_code == 200
    await retire_old_previews(database, datetime.now(UTC) + timedelta(days=2))
    while await delete_retired(database):
        pass
    assert await list_states(database) == []


async def test_who_is_hidden_is_in_no_preview_and_of_who_is_erased_nothing_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    preview_id = await begin(client, DISTANCE)
    await build(database)
    await client.post(f"/admin/participants/{JAN}/hide")
    await handle(database, erased(EVA))
    assert [row["display_name"] for row in (await read(client, preview_id))["rows"]] == ["Anna K."]
    left = "select 1 from standings where user_id = :id union all select 1 from daily_totals where user_id = :id"
    assert await fetch_rows(database, left, id=EVA) == []


async def test_a_preview_by_rules_that_the_challenge_had_is_not_taken_for_the_board(
    client: httpx.AsyncClient, database: Database
) -> None:
    await begin(client, DISTANCE)
    await build(database)
    await add_challenge(database, (datetime(2026, 5, 2, tzinfo=UTC).date(), datetime(2026, 5, 31, tzinfo=UTC).date()))
    await add(client, DISTANCE)
    await build(database)
    rows = (await client.get("/challenges/main/boards/new")).json()["rows"]
    assert [(row["display_name"], row["distance_m"]) for row in rows] == [("Anna K.", 15_000.0)]


async def test_a_preview_is_shown_once_nobody_is_missing_from_it(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.versions.use_cases.BUILD_ACTIVITIES", 1)
    preview_id = await begin(client, DISTANCE)
    while await build_next(database):
        pass
    assert await read(client, preview_id) == {"is_built": False, "rows": []}
    while await recalculate(database):
        pass
    assert len((await read(client, preview_id))["rows"]) == 3


async def test_a_closed_challenge_has_no_previews_and_a_deleted_one_leaves_none(
    client: httpx.AsyncClient, database: Database
) -> None:
    preview_id = await begin(client, DISTANCE)
    await build(database)
    assert (await client.post("/admin/challenges/main/close")).status_code == 200
    assert (await client.get(f"{PATH}/{preview_id}")).status_code == 404
    refused = await client.post(PATH, json=POINTS)
    message = "The challenge is closed: its results do not change any more."
    assert (refused.status_code, refused.json()["message"]) == (409, message)
    await execute(database, "update challenges set closed_at = null")
    await begin(client, POINTS)
    assert (await client.delete("/admin/challenges/main")).status_code == 204
    assert not await build_next(database)
    await handle(database, recorded(9, day=9))
    while await delete_retired(database):
        pass
    left = "select 1 from board_versions union all select 1 from standings union all select 1 from daily_totals"
    assert await fetch_rows(database, left) == []


async def test_a_preview_is_found_by_organisers_under_its_own_challenge_alone(
    client: httpx.AsyncClient, database: Database
) -> None:
    other = {"slug": "june", "name": "June", "first_day": "2026-06-01", "last_day": "2026-06-30"}
    assert (await client.post("/admin/challenges", json=other)).status_code == 201
    preview_id = await begin(client, DISTANCE)
    assert (await client.put("/admin/challenges/main/boards/running/preview", json=POINTS)).status_code == 202
    for slug in ("june", "nothing"):
        assert (await client.get(f"/admin/challenges/{slug}/previews/{preview_id}")).status_code == 404
    others = await fetch_rows(database, "select id from board_versions where id <> :id", id=preview_id)
    assert len(others) == 4
    for row in others:
        assert (await client.get(f"{PATH}/{row.id}")).status_code == 404
    for unknown, status in (("0", 422), ("x", 422), (str(2**63), 422), (str(2**63 - 1), 404)):
        assert (await client.get(f"{PATH}/{unknown}")).status_code == status
    for headers in ({"Authorization": ""}, {"Gruppetto-Organiser": "false"}, {"Authorization": f"Bearer {WEB_KEY}x"}):
        assert (await client.get(f"{PATH}/{preview_id}", headers=headers)).status_code == 403
        assert (await client.post(PATH, json=DISTANCE, headers=headers)).status_code == 403
    assert (await client.post("/admin/challenges/nothing/previews", json=DISTANCE)).status_code == 404
    assert (await client.post(PATH, json={**DISTANCE, "sport_types": ["Quidditch"]})).status_code == 422
    entries = await fetch_rows(database, "select action, subject from audit_log where action like '%previewed'")
    assert [tuple(entry) for entry in entries] == [
        ("new_board.previewed", "main"),
        ("board.previewed", "main/running"),
    ]
