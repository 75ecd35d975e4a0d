"""Signing in and out, and everything that can go wrong on the way."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest
from sqlalchemy import text
from web_fakes import FakeAuth, FakeLeaderboard, user_id
from web_sign_in import CALLBACK, SCOPE, complete_sign_in, start_sign_in

from shared.database.engine import Database
from web.http.queries import purge_expired_sessions
from web.sign_in.rules import CONSENT_VERSION


async def travel(client: httpx.AsyncClient, ahead: timedelta) -> None:
    context = client.app.state.context  # type: ignore[attr-defined]
    clock = context.clock
    client.app.state.context = type(context)(**{**vars(context), "clock": lambda: clock() + ahead})  # type: ignore[attr-defined]


async def test_a_consent_and_a_yes_on_strava_sign_in(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    back = await complete_sign_in(client, await start_sign_in(client))
    assert (back.status_code, back.headers["location"]) == (303, "/c/autumn/running")
    assert auth.begun[0].consent_version == CONSENT_VERSION
    assert auth.keys == {"Bearer key"}
    page = await client.get("/c/autumn/running")
    assert "Ela N.</a>" in page.text
    assert f'<tr id="p-{user_id(4)}" class="me" aria-current="true">' in page.text
    assert f'<a href="#p-{user_id(4)}"><span>My place:</span> <b>5</b></a>' in page.text


async def test_my_row_is_marked_for_me_alone(client: httpx.AsyncClient) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    assert 'class="me"' in (await client.get("/")).text
    client.cookies.clear()
    assert 'class="me"' not in (await client.get("/")).text


async def test_cookies_cannot_be_read_nor_sent_by_other_sites(client: httpx.AsyncClient, database: Database) -> None:
    back = await complete_sign_in(client, await start_sign_in(client))
    cookie = SimpleCookie(next(c for c in back.headers.get_list("set-cookie") if c.startswith("__Host-session")))
    morsel = cookie["__Host-session"]
    assert morsel["secure"]
    assert morsel["httponly"]
    assert (morsel["samesite"], morsel["path"], morsel["domain"]) == ("lax", "/", "")
    async with database.transaction() as session:
        stored = (await session.execute(text("select id_hash from sessions"))).scalar_one()
    assert morsel.value.encode() not in stored
    assert len(stored) == 32


async def test_without_the_consent_nobody_goes_to_strava(client: httpx.AsyncClient) -> None:
    answer = await client.post("/join", data={})
    assert answer.status_code == 422
    assert "Please tick the box first" in answer.text


async def test_the_join_page_lets_its_form_lead_to_strava(client: httpx.AsyncClient) -> None:
    page = await client.get("/join")
    assert "form-action 'self' https://strava.example;" in page.headers["content-security-policy"]
    assert ">Connect with Strava</button>" in page.text


async def test_what_comes_back_from_strava_goes_to_auth_with_the_browser_that_brought_it(
    client: httpx.AsyncClient, auth: FakeAuth
) -> None:
    state = await start_sign_in(client)
    browser = client.cookies["__Host-sign-in"]
    assert auth.begun[0].browser == browser
    await complete_sign_in(client, state)
    [answer] = auth.answers
    assert (answer.browser, answer.state, answer.code, answer.scope) == (browser, state, "abc", SCOPE)


async def test_a_state_that_was_used_is_no_longer_valid(client: httpx.AsyncClient) -> None:
    state = await start_sign_in(client)
    assert (await complete_sign_in(client, state)).status_code == 303
    again = await complete_sign_in(client, state)
    assert again.status_code == 409
    assert "This sign-in is no longer valid" in again.text


async def test_a_browser_that_began_nothing_is_not_signed_in(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    state = await start_sign_in(client)
    client.cookies.clear()
    assert (await complete_sign_in(client, state)).status_code == 409
    assert auth.answers == []
    client.cookies.set("__Host-sign-in", "somebody-elses", domain="club.example")
    assert (await complete_sign_in(client, state)).status_code == 409


@pytest.mark.parametrize("cookie", ["", "short", "x" * 200, "with=signs" * 4 + "abc"])
async def test_a_cookie_that_is_none_of_ours_is_replaced(
    client: httpx.AsyncClient, auth: FakeAuth, cookie: str
) -> None:
    client.cookies.set("__Host-sign-in", cookie, domain="club.example")
    answer = await client.post("/join", data={"consent": "yes"})
    assert answer.status_code == 303
    assert f"__Host-sign-in={auth.begun[0].browser};" in answer.headers["set-cookie"]
    assert auth.begun[0].browser != cookie


async def test_who_left_the_permission_out_is_asked_for_it_again(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    auth.refusal = (403, "scope_missing")
    failed = await complete_sign_in(client, await start_sign_in(client))
    assert '<a class="button" href="/join?again=1">Start again</a>' in failed.text
    page = await client.get("/join?again=1")
    assert '<input type="hidden" name="again" value="1">' in page.text
    await client.post("/join", data={"consent": "yes", "again": "1"})
    assert [one.force_prompt for one in auth.begun] == [False, True]
    assert 'name="again"' not in (await client.get("/join")).text


async def test_who_forgets_the_box_is_still_asked_again_at_strava(client: httpx.AsyncClient) -> None:
    answer = await client.post("/join", data={"again": "1"})
    assert answer.status_code == 422
    assert '<input type="hidden" name="again" value="1">' in answer.text


async def test_too_many_attempts_are_told_so(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    auth.refusal = (429, "rate_limited")
    page = await client.post("/join", data={"consent": "yes"})
    assert page.status_code == 429
    assert "Too many attempts" in page.text


async def test_two_tabs_can_sign_in_side_by_side(client: httpx.AsyncClient) -> None:
    first, second = await start_sign_in(client), await start_sign_in(client)
    assert (await complete_sign_in(client, first, error="access_denied", code="")).status_code == 403
    assert (await complete_sign_in(client, second)).status_code == 303


@pytest.mark.parametrize(
    ("refusal", "status", "words"),
    [
        ((403, "scope_missing"), 403, "One permission is missing"),
        ((403, "capacity"), 403, "Full for the moment"),
        ((409, "sign_in_expired"), 409, "This sign-in is no longer valid"),
        ((429, "rate_limited"), 429, "Too many attempts"),
        ((503, "unavailable"), 503, "Strava does not answer"),
        ((502, "strange"), 503, "Signing in did not work"),
        ((500, "internal"), 503, "Signing in did not work"),
    ],
)
async def test_a_refused_sign_in_says_what_happened_and_what_to_do(
    client: httpx.AsyncClient, auth: FakeAuth, refusal: tuple[int, str], status: int, words: str
) -> None:
    state = await start_sign_in(client)
    auth.refusal = refusal
    page = await complete_sign_in(client, state)
    assert page.status_code == status
    assert words in page.text
    assert re.search(r'<a class="button" href="/join(\?again=1)?">Start again</a>', page.text)
    assert "__Host-session" not in client.cookies


async def test_a_no_on_strava_is_taken_for_an_answer(client: httpx.AsyncClient) -> None:
    page = await client.get(CALLBACK, params={"state": await start_sign_in(client), "error": "access_denied"})
    assert page.status_code == 403
    assert "Strava was not connected" in page.text


async def test_signing_in_again_ends_the_session_before(client: httpx.AsyncClient) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    first = client.cookies["__Host-session"]
    await complete_sign_in(client, await start_sign_in(client))
    assert client.cookies["__Host-session"] != first
    client.cookies.clear()
    answer = await client.get("/privacy", headers={"Cookie": f"__Host-session={first}"})
    assert "Sign out" not in answer.text


async def test_signing_out_ends_the_session_also_for_who_kept_the_cookie(client: httpx.AsyncClient) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    kept = client.cookies["__Host-session"]
    assert (await client.post("/sign-out")).status_code == 303
    assert "__Host-session" not in client.cookies
    answer = await client.get("/privacy", headers={"Cookie": f"__Host-session={kept}"})
    assert "Sign out" not in answer.text


@pytest.mark.parametrize(
    ("visits_days", "still_in"),
    [((13,), True), ((15,), False), ((13, 26, 39), True), (tuple(range(13, 92, 13)), False)],
)
async def test_sessions_end_by_idleness_and_by_age(
    client: httpx.AsyncClient, visits_days: tuple[int, ...], still_in: bool
) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    cookie = {"Cookie": f"__Host-session={client.cookies['__Host-session']}"}
    client.cookies.clear()
    page, before = None, 0
    for day in visits_days:
        await travel(client, timedelta(days=day - before))
        page, before = await client.get("/privacy", headers=cookie), day
    assert page is not None
    assert ("Sign out" in page.text) is still_in


async def test_what_expired_is_forgotten(client: httpx.AsyncClient, database: Database) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    now = client.app.state.context.clock()  # type: ignore[attr-defined]
    for ahead, left in ((timedelta(days=13), 1), (timedelta(days=15), 0)):
        async with database.transaction() as session:
            await purge_expired_sessions(session, now + ahead)
            assert await session.scalar(text("select count(*) from sessions")) == left


async def test_no_page_of_a_failed_sign_in_repeats_what_strava_sent(client: httpx.AsyncClient) -> None:
    await start_sign_in(client)
    page = await client.get(CALLBACK, params={"state": "s3cr3t-state", "code": "s3cr3t-code"})
    assert page.status_code == 409
    assert not re.search("s3cr3t", page.text)


async def test_joining_works_while_the_leaderboard_is_away(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.away = True
    back = await complete_sign_in(client, await start_sign_in(client))
    assert (back.status_code, back.headers["location"]) == (303, "/")
    assert "__Host-session" in client.cookies


async def test_a_wrong_turn_does_not_look_like_being_signed_out(client: httpx.AsyncClient) -> None:
    await complete_sign_in(client, await start_sign_in(client))
    for path in ("/nowhere", "/c/autumn/rowing", "/c/%21/x"):
        assert "Sign out" in (await client.get(path)).text


async def test_two_tabs_that_both_get_a_yes_both_sign_in(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    first, second = await start_sign_in(client), await start_sign_in(client)
    assert (await complete_sign_in(client, first)).status_code == 303
    assert (await complete_sign_in(client, second)).status_code == 303
    assert len(auth.answers) == 2


async def test_a_scope_that_no_line_holds_is_no_address_of_ours(client: httpx.AsyncClient) -> None:
    back = await client.get(CALLBACK, params={"state": await start_sign_in(client), "code": "abc", "scope": "a\nb"})
    assert back.status_code == 404


@pytest.mark.parametrize("name", ["state", "code", "scope", "error"])
async def test_what_strava_never_sends_back_is_no_address_of_ours(client: httpx.AsyncClient, name: str) -> None:
    back = await client.get(CALLBACK, params={"state": await start_sign_in(client), "code": "abc", name: "x" * 501})
    assert back.status_code == 404
