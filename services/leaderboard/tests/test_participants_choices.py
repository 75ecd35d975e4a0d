"""What participants choose about themselves, and what they download."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import WEB_KEY, add_challenge, clear_outbox, create_app, handle

from leaderboard.participants.use_cases import request_sync
from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import (
    ANNA,
    AUTHORIZED_AT,
    JAN,
    authorized,
    disconnected,
    erased,
    permission_lost,
    recorded,
    removed,
    sync_finished,
)
from testkit.handling import emitted


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"))
    await clear_outbox(database)
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {WEB_KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=headers) as client:
        yield client


async def test_a_choice_about_private_activities_is_told_once_and_a_yes_has_them_fetched(
    client: httpx.AsyncClient, database: Database
) -> None:
    for count in (False, True, True, False):
        answer = await client.put(f"/participants/{ANNA}/private-activities", json={"count": count})
        assert answer.status_code == 204
    told = [(topic, event.get("private_activities", event.get("reason"))) for topic, event in await emitted(database)]
    assert told == [
        ("participant.privacy_changed", True),
        ("sync.requested", "participant"),
        ("participant.privacy_changed", False),
    ]


@pytest.mark.parametrize("body", [{}, {"count": "maybe"}, {"count": None}, [], "yes"])
async def test_a_choice_that_is_none_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.put(f"/participants/{ANNA}/private-activities", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/private-activities"), ("POST", "/sync"), ("GET", "/export"), ("GET", "")]
)
async def test_who_is_not_known_is_told_so_and_only_web_asks(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    body = {"count": True} if method == "PUT" else None
    unknown = await client.request(method, f"/participants/{UUID(int=99)}{path}", json=body)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "There is no such participant.")
    stranger = await client.request(
        method, f"/participants/{ANNA}{path}", json=body, headers={"Authorization": "Bearer guess"}
    )
    assert stranger.status_code == 403


async def test_who_hides_themselves_is_on_no_board_and_comes_back_with_everything(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1), recorded(2, user_id=JAN))

    async def shown() -> list[str]:
        answer = await client.get("/challenges/main/boards/running")
        return sorted(row["display_name"] for row in answer.json()["rows"])

    assert (await client.put(f"/participants/{ANNA}/listing", json={"listed": False})).status_code == 204
    assert await shown() == ["Jan"]
    await handle(database, recorded(3, day=3), authorized(name="Ania", minute=7))
    assert await shown() == ["Jan"]
    assert (await client.put(f"/participants/{ANNA}/listing", json={"listed": True})).status_code == 204
    assert await shown() == ["Ania", "Jan"]
    unknown = await client.put(f"/participants/{UUID(int=99)}/listing", json={"listed": True})
    assert unknown.status_code == 404


async def test_a_participant_is_synced_at_most_every_ten_minutes(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert (await client.post(f"/participants/{ANNA}/sync")).status_code == 202
    again = await client.post(f"/participants/{ANNA}/sync")
    assert again.status_code == 429
    assert again.json()["message"] == "Your activities were asked for a moment ago. Please try again in 10 minutes."
    assert (await client.post(f"/participants/{JAN}/sync")).status_code == 202
    later = datetime.now(UTC) + timedelta(minutes=10, seconds=1)
    async with database.transaction() as session:
        assert await request_sync(session, ANNA, later) is None
    assert [event["user_id"] for _, event in await emitted(database, "sync.requested")] == [
        str(ANNA),
        str(JAN),
        str(ANNA),
    ]


async def status_of(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"/participants/{ANNA}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_the_status_of_who_has_just_joined_knows_nothing_yet(client: httpx.AsyncClient) -> None:
    assert await status_of(client) == {
        "user_id": str(ANNA),
        "listed": True,
        "hidden_by_organiser": False,
        "private_activities": False,
        "activities": 0,
        "last_success_at": None,
        "last_attempt_at": None,
        "last_outcome": None,
        "needs_reconnection": False,
        "reconnection_reason": None,
        "sync_requested_at": None,
        "sync_possible_at": None,
    }


async def test_the_status_says_what_somebody_chose_and_how_many_activities_of_theirs_there_are(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1), recorded(2, day=2), recorded(3, user_id=JAN), recorded(4), removed(4))
    await client.put(f"/participants/{ANNA}/listing", json={"listed": False})
    await client.put(f"/participants/{ANNA}/private-activities", json={"count": True})
    status = await status_of(client)
    assert (status["listed"], status["private_activities"], status["activities"]) == (False, True, 2)
    organiser = {"Gruppetto-User": str(JAN), "Gruppetto-Organiser": "true"}
    await client.post(f"/admin/participants/{ANNA}/hide", headers=organiser)
    assert (await status_of(client))["hidden_by_organiser"] is True


async def test_the_status_says_how_fetching_goes(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, sync_finished(minute=2), sync_finished(minute=5, error="StravaDown"))
    status = await status_of(client)
    assert datetime.fromisoformat(status["last_success_at"]) == AUTHORIZED_AT + timedelta(minutes=2)
    assert datetime.fromisoformat(status["last_attempt_at"]) == AUTHORIZED_AT + timedelta(minutes=5)
    assert status["last_outcome"] == "failed"
    for lost, reason in ((permission_lost(minute=6), "refresh_refused"), (disconnected(minute=7), "disconnected")):
        await handle(database, lost)
        status = await status_of(client)
        assert (status["needs_reconnection"], status["reconnection_reason"]) == (True, reason)
    await handle(database, authorized(minute=8))
    assert (await status_of(client))["needs_reconnection"] is False


async def test_the_status_says_when_a_fetch_can_be_asked_for_again(client: httpx.AsyncClient) -> None:
    await client.post(f"/participants/{ANNA}/sync")
    status = await status_of(client)
    asked_at, possible_at = (
        datetime.fromisoformat(status[name]) for name in ("sync_requested_at", "sync_possible_at")
    )
    assert possible_at - asked_at == timedelta(minutes=10)


async def test_who_is_erased_has_no_status(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, erased())
    assert (await client.get(f"/participants/{ANNA}")).status_code == 404


async def test_a_download_has_everything_that_is_known_of_somebody_and_of_nobody_else(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.participants.routes.EXPORT_PAGE", 2)
    await handle(database, *(recorded(n, day=n) for n in range(1, 6)), recorded(9, user_id=JAN))
    await client.put(f"/participants/{ANNA}/activities/3/exclusion")
    answer = await client.get(f"/participants/{ANNA}/export")
    assert answer.status_code == 200
    known = answer.json()
    assert known["participant"]["display_name"] == "Anna K."
    assert [activity["strava_id"] for activity in known["activities"]] == [1, 2, 3, 4, 5]
    assert [one["strava_id"] for one in known["exclusions"]] == [3]
    assert known["standings"][1] | {} == {
        "challenge": "main",
        "board": "running",
        "distance_m": 40000.0,
        "moving_time_s": 12000,
        "elev_gain_m": 40.4,
        "activities": 4,
        "points": 0.0,
    }
    assert "Jan" not in answer.text


async def test_every_table_with_a_user_is_in_the_download_or_says_nothing_of_them(database: Database) -> None:
    tables = await fetch_rows(
        database,
        """select distinct table_name from information_schema.columns
           where column_name in ('user_id', 'actor_id') and table_schema = current_schema()""",
    )
    downloaded = {
        *("participants", "activities", "standings", "milestones_reached", "exclusions", "preferred_activities"),
        *("final_standings", "sync_health", "team_memberships"),
    }
    sums_of_these = {"daily_totals", "rank_history", "recalculations", "milestone_changes"}
    of_others = {"erased_users", "audit_log"}  # who is gone; what organisers did
    assert {row.table_name for row in tables} == downloaded | sums_of_these | of_others
