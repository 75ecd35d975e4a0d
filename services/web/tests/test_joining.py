"""Joining, over fakes of the other services."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text
from web_fakes import FakeAuth, FakeLeaderboard, user_id

from shared.db import Sessions


async def to_strava(client: httpx.AsyncClient) -> str:
    """Consent; returns the state that Strava is given."""
    answer = await client.post("/join", data={"consent": "yes"})
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


async def come_back(client: httpx.AsyncClient, **query: str) -> httpx.Response:
    return await client.get("/auth/strava/callback", params={"scope": "read,activity:read", "code": "good", **query})


async def test_nobody_goes_to_strava_without_consent(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    answer = await client.post("/join", data={})
    assert answer.status_code == 422
    assert "Connect with Strava" in answer.text
    assert auth.sign_ins == []


async def test_who_comes_back_is_signed_in_and_finds_their_row(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    answer = await come_back(client, state=await to_strava(client))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/c/autumn/running"
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-session"))
    assert all(part in cookie.lower() for part in ("httponly", "secure", "samesite=lax", "path=/"))
    assert auth.sign_ins[0]["scope"] == "read,activity:read"
    assert auth.sign_ins[0]["consent_version"]
    page = await client.get("/c/autumn/running")
    assert f'<tr id="p-{user_id(4)}" class="me" aria-current="true"' in page.text


async def test_the_database_knows_a_session_only_by_its_hash(client: httpx.AsyncClient, sessions: Sessions) -> None:
    await come_back(client, state=await to_strava(client))
    secret = client.cookies["__Host-session"]
    async with sessions.transaction() as session:
        stored = (await session.execute(text("select sessions::text from sessions"))).scalars().all()
    assert len(stored) == 1
    assert secret not in stored[0]


async def test_signing_out_ends_the_session_in_the_database_too(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    await come_back(client, state=await to_strava(client))
    secret = client.cookies["__Host-session"]
    await client.post("/sign-out")
    client.cookies.set("__Host-session", secret)
    page = await client.get("/c/autumn/running")
    assert 'aria-current="true"' not in page.text
    async with sessions.transaction() as session:
        assert (await session.execute(text("select count(*) from sessions"))).scalar_one() == 0


async def test_a_state_works_once(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    state = await to_strava(client)
    await come_back(client, state=state)
    assert (await come_back(client, state=state)).status_code == 409
    assert len(auth.sign_ins) == 1


async def test_a_state_works_only_in_the_browser_that_got_it(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    state = await to_strava(client)
    client.cookies.clear()
    assert (await come_back(client, state=state)).status_code == 409
    assert auth.sign_ins == []


async def test_who_says_no_reads_what_to_do(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    answer = await client.get(
        "/auth/strava/callback", params={"state": await to_strava(client), "error": "access_denied"}
    )
    assert answer.status_code == 403
    assert 'href="/join"' in answer.text
    assert auth.sign_ins == []


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        ((409, "sign_in_expired"), 409),
        ((403, "scope_missing"), 403),
        ((403, "capacity"), 403),
        ((503, "unavailable"), 503),
        ((502, "strava_misconfigured"), 503),
    ],
)
async def test_every_refusal_is_a_page_with_a_way_back(
    client: httpx.AsyncClient, auth: FakeAuth, refusal: tuple[int, str], status: int
) -> None:
    state = await to_strava(client)
    auth.refusal = refusal
    answer = await come_back(client, state=state)
    assert answer.status_code == status
    assert "<h1" in answer.text
    assert 'href="/' in answer.text
    assert "__Host-session" not in client.cookies


async def test_joining_works_while_the_leaderboard_is_away(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    state = await to_strava(client)
    leaderboard.away = True
    answer = await come_back(client, state=state)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
