"""How fetching goes, as organisers see it, and having it done now."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import ORGANISER, SYNC_STATUS, create_app, delete_all, handle

from leaderboard.sync_client import SyncClient
from shared.contracts.events import Event
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import (
    ANNA,
    AUTHORIZED_AT,
    JAN,
    authorized,
    disconnected,
    erased,
    permission_lost,
    renamed,
    some_orders,
    sync_finished,
)
from testkit.handling import emitted

SYNC_KEY = "canary-key-of-sync-0123"


def open_client(database: Database, sync: SyncClient | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(database, sync), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(database) as client:
        yield client


async def health(database: Database, user_id: UUID = ANNA) -> dict[str, Any]:
    """What is known, without when that was noted."""
    [row] = await fetch_rows(database, "select * from sync_health where user_id = :id", id=user_id)
    known = dict(row._mapping)
    assert abs((datetime.now(UTC) - known.pop("updated_at")).total_seconds()) < 60
    return known


def minute(number: int) -> datetime:
    return AUTHORIZED_AT + timedelta(minutes=number)


async def test_attempts_are_noted_and_failures_in_a_row_are_counted(database: Database) -> None:
    await handle(database, sync_finished(minute=1), sync_finished(minute=2, error="Unavailable", requests_used=7))
    await handle(database, sync_finished(minute=3, error="RateLimited", requests_used=0))
    assert await health(database) == {
        "user_id": ANNA,
        "last_success_at": minute(1),
        "last_attempt_at": minute(3),
        "last_failure_at": minute(3),
        "last_outcome": "failed",
        "last_error_class": "RateLimited",
        "failures_in_row": 2,
        "requests_used_last": 0,
        "needs_reconnection": False,
        "reconnection_reason": None,
        "permission_changed_at": None,
    }
    await handle(database, sync_finished(minute=4))
    now = await health(database)
    assert (now["failures_in_row"], now["last_outcome"], now["last_success_at"]) == (0, "succeeded", minute(4))
    assert (now["last_failure_at"], now["last_error_class"]) == (minute(3), "RateLimited")


async def test_in_whatever_order_events_come_the_latest_stay(database: Database) -> None:
    events: tuple[Event, ...] = (
        authorized(minute=0),
        permission_lost(minute=1),
        authorized(minute=2),
        disconnected(minute=3),
        sync_finished(minute=1),
        sync_finished(minute=4, error="Late"),
    )
    outcomes = set()
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        outcomes.add(tuple((await health(database)).items()))
    [outcome] = outcomes
    known = dict(outcome)
    assert (known["needs_reconnection"], known["reconnection_reason"]) == (True, "disconnected")
    assert (known["last_success_at"], known["last_attempt_at"]) == (minute(1), minute(4))
    assert (known["last_outcome"], known["failures_in_row"], known["last_error_class"]) == ("failed", 1, "Late")


async def test_a_late_event_does_not_replace_what_is_newer(database: Database) -> None:
    await handle(database, sync_finished(minute=9, requests_used=9), authorized(minute=9))
    before = await health(database)
    await handle(database, sync_finished(minute=5, requests_used=5), sync_finished(minute=9, requests_used=8))
    await handle(database, permission_lost(minute=8), disconnected(minute=9))
    assert await health(database) == before
    await handle(database, sync_finished(minute=6, error="Old"))
    known = await health(database)
    assert (known["failures_in_row"], known["last_outcome"]) == (0, "succeeded")
    assert (known["last_failure_at"], known["last_error_class"]) == (minute(6), "Old")


async def test_who_connects_again_need_not_any_more(database: Database) -> None:
    await handle(database, authorized(), permission_lost(minute=1))
    known = await health(database)
    assert (known["needs_reconnection"], known["reconnection_reason"]) == (True, "refresh_refused")
    await handle(database, authorized(minute=2))
    known = await health(database)
    assert (known["needs_reconnection"], known["reconnection_reason"]) == (False, None)


@pytest.mark.parametrize(
    "late",
    [sync_finished(), sync_finished(error="x"), permission_lost(), disconnected(), authorized(minute=5), renamed()],
    ids=lambda event: event.topic,
)
async def test_nothing_is_kept_of_who_was_erased_whatever_comes_late(database: Database, late: Event) -> None:
    await handle(database, authorized(), sync_finished(error="x"), permission_lost(minute=2), sync_finished(JAN))
    await handle(database, erased())
    await handle(database, late)
    assert [row.user_id for row in await fetch_rows(database, "select user_id from sync_health")] == [JAN]


async def test_an_erasure_and_attempts_at_once_leave_nothing(database: Database) -> None:
    await asyncio.gather(
        *(handle(database, sync_finished(minute=n, error="x"), permission_lost(minute=n)) for n in range(1, 9)),
        handle(database, erased()),
    )
    assert await fetch_rows(database, "select * from sync_health") == []


async def test_failures_are_shown_as_codes_the_latest_first(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(ANNA, "Anna Kowalska"))
    await handle(database, sync_finished(ANNA, 1, "Unavailable"), sync_finished(JAN, 2, "RateLimited"))
    await handle(database, sync_finished(ANNA, 3, "RateLimited"), sync_finished(JAN, 4))
    answer = await client.get("/admin/sync-errors")
    assert answer.json() == {
        "failures": [
            {
                "user_id": str(user_id),
                "error_class": "RateLimited",
                "failed_at": minute(at).isoformat().replace("+00:00", "Z"),
                "failures_in_row": in_row,
            }
            for user_id, at, in_row in ((ANNA, 3, 2), (JAN, 2, 0))
        ]
    }
    await handle(database, *(sync_finished(UUID(int=n), n, "x") for n in range(10, 40)))
    shown = (await client.get("/admin/sync-errors")).json()["failures"]
    assert [one["user_id"] for one in shown] == [str(UUID(int=n)) for n in range(39, 19, -1)]


async def test_a_participant_is_fetched_on_request(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized())
    answer = await client.post("/admin/sync", json={"user_id": str(ANNA)})
    assert (answer.status_code, answer.json()["user_id"]) == (202, str(ANNA))
    [(_, event)] = await emitted(database, "sync.requested")
    assert datetime.fromisoformat(event.pop("requested_at")) == datetime.fromisoformat(answer.json()["requested_at"])
    assert event == {"user_id": str(ANNA), "reason": "organiser", "requested_by": str(ANNA)}
    [entry] = await fetch_rows(database, "select actor, action, subject from audit_log")
    assert tuple(entry) == (f"user {ANNA}", "sync.requested", str(ANNA))


async def test_everybody_is_fetched_at_most_every_ten_minutes(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized())
    asked = await asyncio.gather(*(client.post("/admin/sync", json={"user_id": None}) for _ in range(5)))
    assert sorted(answer.status_code for answer in asked) == [202, 429, 429, 429, 429]
    refused = next(answer for answer in asked if answer.status_code == 429)
    assert refused.json()["code"] == "rate_limited"
    assert "10 minutes" in refused.json()["message"]
    assert (await client.post("/admin/sync", json={"user_id": str(ANNA)})).status_code == 202
    assert [event["user_id"] for _, event in await emitted(database, "sync.requested")] == [None, str(ANNA)]
    entries = await fetch_rows(database, "select subject from audit_log order by id")
    assert [entry.subject for entry in entries] == ["everybody", str(ANNA)]
    await execute(database, "update sync_requests set everybody_at = everybody_at - interval '10 minutes'")
    assert (await client.post("/admin/sync", json={"user_id": None})).status_code == 202


async def test_a_key_asks_under_its_name_and_needs_the_scope(client: httpx.AsyncClient, database: Database) -> None:
    keys = []
    for name, scope in (("Night", "sync"), ("Reader", "read")):
        made = await client.post("/admin/api-keys", json={"name": name, "scopes": [scope]})
        keys.append({"Authorization": f"Bearer {made.json()['key']}"})
    night, reader = keys
    assert (await client.post("/admin/sync", json={"user_id": None}, headers=reader)).status_code == 403
    assert (await client.post("/admin/sync", json={"user_id": None}, headers=night)).status_code == 202
    assert [event["requested_by"] for _, event in await emitted(database, "sync.requested")] == ["Night"]
    assert (await client.get("/admin/sync-errors", headers=reader)).status_code == 200
    for path in ("/admin/sync-errors", "/admin/sync-budget"):
        assert (await client.get(path, headers=night)).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"user_id": "me"}, 422), ([], 422), ({"user_id": str(JAN)}, 404), ({"user_id": str(ANNA)}, 409)],
)
async def test_what_cannot_be_fetched_is_refused_with_a_sentence(
    client: httpx.AsyncClient, database: Database, body: object, status: int
) -> None:
    await handle(database, authorized(), permission_lost())
    answer = await client.post("/admin/sync", json=body)
    assert (answer.status_code, await emitted(database, "sync.requested")) == (status, [])
    assert answer.json()["message"]
    assert await fetch_rows(database, "select * from audit_log") == []


def sync_answering(answer: Callable[[httpx.Request], httpx.Response]) -> SyncClient:
    return SyncClient("http://sync.test:9002/", SYNC_KEY, httpx.MockTransport(answer))


async def test_the_budget_is_what_sync_says(database: Database) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers["Authorization"]))
        return httpx.Response(200, content=SYNC_STATUS.model_dump_json())

    sync = sync_answering(answer)
    async with open_client(database, sync) as client:
        shown = await client.get("/admin/sync-budget")
    await sync.close()
    assert (shown.status_code, shown.json()) == (200, SYNC_STATUS.model_dump(mode="json"))
    assert asked == [("http://sync.test:9002/status", f"Bearer {SYNC_KEY}")]


def is_away(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("canary: no route to http://sync.test")


def is_slow(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("canary: too slow")


@pytest.mark.parametrize(
    "answer",
    [
        is_away,
        is_slow,
        lambda _: httpx.Response(403, json={"code": "forbidden", "message": "canary"}),
        lambda _: httpx.Response(500, text="canary"),
        lambda _: httpx.Response(302, headers={"Location": "http://elsewhere.test"}),
        lambda _: httpx.Response(200, json={"canary": 1}),
        lambda _: httpx.Response(200, text="<canary>"),
    ],
)
async def test_while_sync_is_away_that_is_said_in_a_sentence(
    database: Database, answer: Callable[[httpx.Request], httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sync = sync_answering(answer)
    async with open_client(database, sync) as client:
        shown = await client.get("/admin/sync-budget")
    await sync.close()
    assert (shown.status_code, shown.json()["code"]) == (503, "unavailable")
    assert "sync does not say" in shown.json()["message"]
    assert "canary" not in shown.text + caplog.text


async def test_without_an_address_of_sync_that_is_said_in_a_sentence(client: httpx.AsyncClient) -> None:
    shown = await client.get("/admin/sync-budget")
    assert (shown.status_code, shown.json()["code"]) == (503, "unavailable")
    assert "SYNC_STATUS_URL is not set" in shown.json()["message"]
