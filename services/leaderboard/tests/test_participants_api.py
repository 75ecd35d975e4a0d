"""Participants, as organisers see, search and hide them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from leaderboard_helpers import (
    ORGANISER,
    add_challenge,
    build,
    clear_outbox,
    create_app,
    emitted_changes,
    handle,
    metres,
)

from leaderboard.standings.use_cases import announce_changes
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, disconnected, erased, permission_lost, recorded, renamed
from testkit.events import sync_finished as finished
from testkit.handling import emitted

EVA, OLA = UUID(int=3), UUID(int=4)
LIST = "/admin/participants"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        yield client


async def names(client: httpx.AsyncClient, **params: str) -> list[str]:
    answer = await client.get(LIST, params=params)
    assert answer.status_code == 200, answer.text
    return [one["display_name"] for one in answer.json()["participants"]]


async def board(client: httpx.AsyncClient) -> list[str]:
    rows = (await client.get("/challenges/main/boards/running")).json()["rows"]
    return [row["display_name"] for row in rows]


async def post(client: httpx.AsyncClient, user_id: UUID, verb: str) -> dict[str, Any]:
    answer = await client.post(f"{LIST}/{user_id}/{verb}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_participant_is_shown_with_how_fetching_goes(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(), finished(minute=2), finished(minute=3, error="Unavailable"))
    answer = (await client.get(LIST)).json()
    assert answer == {
        "participants": [
            {
                "user_id": str(ANNA),
                "display_name": "Anna K.",
                "joined_at": "2026-05-01T00:00:00Z",
                "hidden_by_participant": False,
                "hidden_by_organiser": False,
                "sync": {
                    "status": "failing",
                    "last_success_at": "2026-05-01T00:02:00Z",
                    "last_attempt_at": "2026-05-01T00:03:00Z",
                    "last_outcome": "failed",
                    "last_error_class": "Unavailable",
                    "failures_in_row": 1,
                    "reconnection_reason": None,
                    "requests_used_last": 2,
                },
            }
        ],
        "next_after": None,
    }


async def test_of_whom_nothing_was_fetched_yet_nothing_is_wrong(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, renamed())
    [shown] = (await client.get(LIST)).json()["participants"]
    assert (shown["sync"]["status"], shown["sync"]["last_attempt_at"]) == ("ok", None)


async def test_participants_are_found_by_a_part_of_their_name(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(ANNA, "Łucja Żak"), authorized(JAN, "Jan 100%"), authorized(EVA, "eWa_x"))
    assert await names(client) == ["eWa_x", "Jan 100%", "Łucja Żak"]
    assert await names(client, search="ŁUC") == ["Łucja Żak"]
    assert await names(client, search=" ża ") == ["Łucja Żak"]
    assert await names(client, search="0%") == ["Jan 100%"]
    assert await names(client, search="_") == ["eWa_x"]
    assert await names(client, search="' or 1=1 --") == []


async def test_participants_of_one_status_are_found(client: httpx.AsyncClient, database: Database) -> None:
    everybody = [(ANNA, "Anna"), (JAN, "Jan"), (EVA, "Ewa"), (OLA, "Ola")]
    await handle(database, *(authorized(user_id, name) for user_id, name in everybody))
    await handle(database, finished(JAN, 2, "x"), finished(EVA, 2, "x"), finished(OLA, 2, "x"), finished(OLA, 3))
    await handle(database, disconnected(EVA, 3))
    await post(client, JAN, "hide")
    await execute(database, "update participants set hidden_by_participant = true where user_id = :id", id=ANNA)
    statuses = ("ok", "failing", "needs_reconnection", "hidden")
    assert [await names(client, status=status) for status in statuses] == [
        ["Anna", "Ola"],
        ["Jan"],
        ["Ewa"],
        ["Anna", "Jan"],
    ]
    assert await names(client, status="hidden", search="j") == ["Jan"]


async def test_pages_follow_each_other_whatever_happens_meanwhile(
    client: httpx.AsyncClient, database: Database
) -> None:
    users = {UUID(int=n): f"Żółw {n % 3}" for n in range(1, 11)}
    await handle(database, *(authorized(user_id, name) for user_id, name in users.items()))
    found: list[str] = []
    params = {"limit": "3"}
    while True:
        page = (await client.get(LIST, params=params)).json()
        found += [one["user_id"] for one in page["participants"]]
        if page["next_after"] is None:
            break
        await handle(database, erased(UUID(found[-1])))
        params["after"] = page["next_after"]
    assert found == [str(user_id) for user_id in sorted(users, key=lambda one: (users[one], one))]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"status": "fine"},
        {"search": "x" * 51},
        {"after": "x"},
        {"after": str(ANNA)},
        {"after": f"{ANNA}." + "x" * 600},
        {"after": "-" * 36 + ".x"},
    ],
)
async def test_an_impossible_page_is_refused_with_a_sentence(
    client: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await client.get(LIST, params=params)
    assert answer.status_code == 422
    assert answer.json()["message"]


async def test_who_is_hidden_leaves_the_boards_and_comes_back_with_everything(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1), recorded(2, user_id=JAN))
    await clear_outbox(database)
    assert (await post(client, ANNA, "hide"))["hidden_by_organiser"] is True
    await announce_changes(database, datetime.now(UTC))
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)]
    assert await board(client) == ["Jan"]
    await handle(database, recorded(3, day=2), renamed(name="Ania"), authorized(name="Ania", minute=9))
    assert await board(client) == ["Jan"]
    await clear_outbox(database)
    assert (await post(client, ANNA, "show"))["hidden_by_organiser"] is False
    await announce_changes(database, datetime.now(UTC))
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)]
    assert await board(client) == ["Ania", "Jan"]
    assert (await metres(database))["running", ANNA.int] == 20_000


async def test_who_is_hidden_before_anything_counts_is_on_no_board(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized())
    await post(client, ANNA, "hide")
    await handle(database, recorded(1))
    assert await board(client) == []
    await execute(database, "update participants set hidden_by_organiser = false, hidden_by_participant = true")
    await handle(database, recorded(2, day=2), renamed(minute=8))
    assert await board(client) == []


async def test_who_hides_themselves_is_not_shown_by_an_organiser(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1))
    await execute(database, "update participants set hidden_by_participant = true")
    await post(client, ANNA, "hide")
    shown = await post(client, ANNA, "show")
    assert (shown["hidden_by_organiser"], shown["hidden_by_participant"]) == (False, True)
    assert await board(client) == []


async def test_boards_that_are_built_anew_leave_out_who_is_hidden(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1), recorded(2, user_id=JAN))
    await post(client, ANNA, "hide")
    await add_challenge(database, (date(2026, 4, 1), date(2026, 6, 30)))
    await build(database)
    assert await board(client) == ["Jan"]


async def test_what_changes_nothing_is_neither_noted_nor_announced(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1))
    await clear_outbox(database)
    await post(client, ANNA, "show")
    assert await fetch_rows(database, "select * from board_changes") == []
    await asyncio.gather(*(post(client, ANNA, "hide") for _ in range(5)))
    await post(client, ANNA, "show")
    entries = await fetch_rows(database, "select actor, action, subject from audit_log order by id")
    assert [tuple(entry) for entry in entries] == [
        (f"user {ANNA}", action, str(ANNA)) for action in ("participant.hidden", "participant.shown")
    ]


async def test_hiding_and_scoring_at_once_leave_nobody_on_a_board(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_challenge(database)
    await handle(database, authorized())
    await asyncio.gather(
        *(handle(database, recorded(n, day=n)) for n in range(1, 9)),
        post(client, ANNA, "hide"),
    )
    assert await board(client) == []
    assert (await metres(database))["running", ANNA.int] == 80_000


@pytest.mark.parametrize("verb", ["hide", "show"])
async def test_who_is_not_there_is_neither_hidden_nor_shown(client: httpx.AsyncClient, verb: str) -> None:
    answer = await client.post(f"{LIST}/{uuid4()}/{verb}")
    assert (answer.status_code, answer.json()["message"]) == (404, "There is no such participant.")
    answer = await client.post(f"{LIST}/nobody/{verb}")
    assert answer.status_code == 422


async def test_who_is_erased_is_not_listed_and_not_in_the_log(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(JAN, "Jan"), permission_lost(JAN))
    await post(client, JAN, "hide")
    await handle(database, erased(JAN))
    assert await names(client) == []
    for table in ("participants", "sync_health", "audit_log"):
        rows = await fetch_rows(database, f"select {table}::text as row from {table}")
        assert not any(str(JAN) in one.row for one in rows)


async def test_a_key_needs_the_scope_of_people(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized())
    for scope, status in (("people", 200), ("read", 403)):
        made = (await client.post("/admin/api-keys", json={"name": scope, "scopes": [scope]})).json()
        headers = {"Authorization": f"Bearer {made['key']}"}
        assert (await client.get(LIST, headers=headers)).status_code == status
        assert (await client.post(f"{LIST}/{ANNA}/hide", headers=headers)).status_code == status
    entries = await fetch_rows(database, "select actor from audit_log where action = 'participant.hidden'")
    assert [entry.actor for entry in entries] == ["key people"]


async def test_one_participant_is_shown_alone(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(), authorized(JAN, "Jan"))
    [first] = [one for one in (await client.get(LIST)).json()["participants"] if one["user_id"] == str(JAN)]
    assert (await client.get(f"{LIST}/{JAN}")).json() == first
    assert (await client.get(f"{LIST}/{uuid4()}")).status_code == 404


async def test_who_is_removed_is_deleted_everywhere(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(JAN, "Jan"))
    await clear_outbox(database)
    assert (await client.delete(f"{LIST}/{JAN}")).status_code == 202
    [(_, event)] = await emitted(database, "participant.expired")
    authorization = authorized(JAN, "Jan").authorized_at
    assert (event["user_id"], datetime.fromisoformat(event["authorized_at"])) == (str(JAN), authorization)
    [entry] = await fetch_rows(database, "select actor, action, subject from audit_log")
    assert tuple(entry) == (f"user {ANNA}", "participant.removed", str(JAN))
    await handle(database, erased(JAN))
    assert (await client.delete(f"{LIST}/{JAN}")).status_code == 404
