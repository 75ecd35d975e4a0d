"""What events and operators do to sessions."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from web_fakes import FakeAuth, user_id
from web_sign_in import sign_in

from shared.contracts.events import (
    Event,
    UserAdminChanged,
    UserAuthorized,
    UserDeauthorized,
    UserErased,
    UserReauthorizationNeeded,
    UserRenamed,
)
from shared.database.engine import Database
from shared.http.api import create_api
from testkit.databases import fetch_rows
from testkit.events import authorized
from testkit.handling import handle
from web.main import configure_internal_app
from web.sessions.handlers import SESSION_HANDLERS

KEY = "the-key-of-operators"
USER = user_id(4)


def later(**ahead: float) -> datetime:
    return datetime.now(UTC) + timedelta(**ahead)


def renamed(name: str, at: datetime) -> UserRenamed:
    return UserRenamed(user_id=USER, display_name=name, renamed_at=at)


def admin_changed(is_admin: bool, at: datetime) -> UserAdminChanged:
    return UserAdminChanged(user_id=USER, is_admin=is_admin, changed_at=at)


def erased(user: UUID = USER) -> UserErased:
    return UserErased(user_id=user, athlete_id=104, reason="requested", erased_at=later())


async def hear(database: Database, *events: Event) -> None:
    await handle(database, "web.people", SESSION_HANDLERS, *events)


async def session_row(database: Database) -> Any:
    [row] = await fetch_rows(database, "select * from sessions")
    return row


@pytest.fixture
async def operator(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api("internal")
    configure_internal_app(app, database, KEY)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://web", headers={"Authorization": f"Bearer {KEY}"}
    ) as client:
        yield client


async def test_who_is_erased_is_signed_out_on_every_replica(
    client: httpx.AsyncClient, other_replica: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(client)
    await sign_in(other_replica)
    await hear(database, erased(user_id(5)))
    assert "Sign out" in (await client.get("/privacy")).text
    await hear(database, erased(), erased())
    for replica in (client, other_replica):
        assert "Sign out" not in (await replica.get("/privacy")).text


async def test_a_new_name_is_on_the_next_page_and_an_older_one_is_not(
    client: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(client)
    await hear(database, renamed("Ola", later(seconds=2)), renamed("Older", later(seconds=1)))
    assert "Ola" in (await client.get("/privacy")).text
    assert (await session_row(database)).display_name == "Ola"


async def test_a_name_from_before_the_sign_in_is_not_taken(client: httpx.AsyncClient, database: Database) -> None:
    await sign_in(client)
    await hear(database, renamed("Older", later(minutes=-1)))
    assert (await session_row(database)).display_name == "Ela N."


@pytest.mark.parametrize(
    ("changes", "is_admin"),
    [
        ([(True, 1)], True),
        ([(True, 1), (False, 2)], False),
        ([(False, 2), (True, 1)], False),
        ([(False, 1), (True, 2)], True),
        ([(True, -60)], False),
    ],
)
async def test_who_is_an_admin_no_more_has_lost_it_whatever_arrives_late(
    client: httpx.AsyncClient, database: Database, changes: list[tuple[bool, float]], is_admin: bool
) -> None:
    await sign_in(client)
    await hear(database, *(admin_changed(value, later(seconds=ahead)) for value, ahead in changes))
    assert (await session_row(database)).is_admin is is_admin


LOST = "Strava does not let us read your activities any more"
DISCONNECTED = "You have disconnected Strava"


def lost(at: datetime) -> UserReauthorizationNeeded:
    return UserReauthorizationNeeded(user_id=USER, athlete_id=104, reason="refresh_refused", lost_at=at)


def left(at: datetime) -> UserDeauthorized:
    return UserDeauthorized(user_id=USER, athlete_id=104, reason="disconnected", deauthorized_at=at)


def connected(at: datetime) -> UserAuthorized:
    return authorized(USER, "Ela N.", athlete_id=104, authorized_at=at, first_time=False, access_regained=True)


async def test_every_page_says_that_access_to_strava_was_lost_until_it_is_back(
    client: httpx.AsyncClient, other_replica: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(client)
    await sign_in(other_replica)
    await hear(database, lost(later(seconds=1)))
    for page in ("/", "/c/autumn/running", "/privacy", "/nowhere"):
        for replica in (client, other_replica):
            shown = await replica.get(page)
            assert LOST in shown.text
            assert re.search(r'<a class="button small" href="/join(\?to=/[a-z/]+)?">Connect again</a>', shown.text)
    await hear(database, left(later(seconds=2)))
    assert DISCONNECTED in (await client.get("/")).text
    await hear(database, connected(later(seconds=3)))
    for replica in (client, other_replica):
        assert "Connect again" not in (await replica.get("/")).text


async def test_a_loss_that_is_told_late_is_not_believed(client: httpx.AsyncClient, database: Database) -> None:
    await sign_in(client)
    moment = later(seconds=5)
    await hear(database, lost(later(minutes=-1)), connected(moment), lost(moment), left(later(seconds=4)))
    assert "Connect again" not in (await client.get("/")).text


async def test_only_the_one_who_lost_access_is_told(client: httpx.AsyncClient, database: Database) -> None:
    await hear(database, lost(later(seconds=1)))
    assert "Connect again" not in (await client.get("/")).text
    await sign_in(client)
    assert "Connect again" not in (await client.get("/")).text


async def test_an_operator_sees_a_users_sessions_and_no_secret(
    client: httpx.AsyncClient, other_replica: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    await sign_in(client)
    await sign_in(other_replica)
    answer = await operator.get("/sessions", params={"user_id": str(USER)})
    sessions = answer.json()["sessions"]
    assert [one["user_id"] for one in sessions] == [str(USER)] * 2
    assert sessions[0]["created_at"] > sessions[1]["created_at"]
    for one in (client, other_replica):
        assert one.cookies["__Host-session"] not in answer.text


async def test_an_operator_ends_one_session(
    client: httpx.AsyncClient, other_replica: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    await sign_in(client)
    await sign_in(other_replica)
    latest = (await operator.get("/sessions", params={"user_id": str(USER)})).json()["sessions"][0]["id"]
    assert (await operator.delete(f"/sessions/{latest}")).json() == {"revoked": 1}
    assert "Sign out" not in (await other_replica.get("/privacy")).text
    assert "Sign out" in (await client.get("/privacy")).text
    gone = await operator.delete(f"/sessions/{latest}")
    assert (gone.status_code, gone.json()["message"]) == (404, "There is no such session.")


async def test_an_operator_ends_all_sessions_of_a_user(
    client: httpx.AsyncClient, other_replica: httpx.AsyncClient, operator: httpx.AsyncClient, auth: FakeAuth
) -> None:
    await sign_in(client)
    auth.user = user_id(5)
    await sign_in(other_replica)
    for revoked in (1, 0):
        answer = await operator.delete("/sessions", params={"user_id": str(USER)})
        assert answer.json() == {"revoked": revoked}
    assert "Sign out" not in (await client.get("/privacy")).text
    assert "Sign out" in (await other_replica.get("/privacy")).text


async def test_a_user_without_sessions_has_none(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/sessions", params={"user_id": str(USER)})).json() == {"sessions": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/sessions"), ("GET", "/sessions?user_id=x"), ("DELETE", "/sessions"), ("DELETE", "/sessions/XYZ")],
)
async def test_a_malformed_request_is_refused(operator: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await operator.request(method, path)).status_code == 422


@pytest.mark.parametrize("key", ["", "Bearer wrong", "Bearer "])
async def test_nobody_without_the_key_sees_or_ends_a_session(operator: httpx.AsyncClient, key: str) -> None:
    for method, path in (("GET", "/sessions"), ("DELETE", "/sessions"), ("DELETE", "/sessions/0011223344556677")):
        refused = await operator.request(method, path, headers={"Authorization": key})
        assert refused.status_code == 403
