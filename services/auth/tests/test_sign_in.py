"""Signing in, with the simulator as Strava and a real database."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from auth_helpers import ALL, ATHLETE, BROWSER, SECRET, AuthUnderTest, Replica

from testkit.databases import execute, fetch_rows

HTML = httpx.Response(200, text="<html>Strava is having a rest</html>")
OTHER_BROWSER = "another-" + "c" * 40


def refusal(status: int, resource: str) -> httpx.Response:
    return httpx.Response(status, json={"message": "Bad Request", "errors": [{"resource": resource, "field": ""}]})


async def test_a_first_sign_in_tells_who_came_and_emits_it(service: AuthUnderTest) -> None:
    answer = (await service.sign_in(version="2026-01")).json()
    [event] = await service.events()
    assert answer["first_time"]
    assert answer["athlete_id"] == ATHLETE
    assert answer["is_admin"]
    assert answer["missing_scopes"] == []
    assert UUID(answer["user_id"]).version == 7
    assert event["scopes"] == event["scopes_gained"] == sorted(ALL.split(","))
    assert event["consent_version"] == "2026-01"
    common = answer.keys() & event.keys()
    assert {name: event[name] for name in common} == {name: answer[name] for name in common}
    assert len(common) == 5


async def test_a_sign_in_tells_what_its_own_tab_wants_to_go_back_to(service: AuthUnderTest) -> None:
    wanted = ("/c/main/me?until=2026-11-01", "", "/settings")
    begun = [await service.begin(return_to=page) for page in wanted]
    states = [parse_qs(urlsplit(answer.json()["url"]).query)["state"][0] for answer in begun]
    for state, page in reversed(list(zip(states, wanted, strict=True))):
        answer = await service.complete(state, code=service.code(), scope=ALL)
        assert answer.json()["return_to"] == page


@pytest.mark.parametrize("return_to", ["/a b", "/a\r\nSet-Cookie: b=c", "/ł", "/" + "x" * 500])
async def test_what_is_no_address_is_not_kept(service: AuthUnderTest, return_to: str) -> None:
    assert (await service.begin(return_to=return_to)).status_code == 422


async def test_a_second_sign_in_is_the_same_user_with_new_tokens_and_nothing_gained(service: AuthUnderTest) -> None:
    first = (await service.sign_in()).json()
    before = await service.tokens_row()
    second = (await service.sign_in(version="2")).json()
    assert second == {**first, "first_time": False}
    events = await service.events()
    assert [event["first_time"] for event in events] == [True, False]
    assert (events[1]["scopes_gained"], events[1]["access_regained"]) == ([], False)
    assert (await service.tokens_row()).refresh_token != before.refresh_token
    user = (await service.web.get(f"/users/{first['user_id']}")).json()
    assert user["consent_version"] == "2"
    assert user["consented_at"] > user["joined_at"]


async def test_a_sign_in_with_more_scopes_says_which_were_gained(service: AuthUnderTest) -> None:
    partly = (await service.sign_in(scope="read,activity:read")).json()
    assert partly["missing_scopes"] == ["activity:read_all"]
    await service.sign_in()
    assert (await service.events())[1]["scopes_gained"] == ["activity:read_all"]


async def test_a_hundred_sign_ins_in_a_row_cost_a_token_call_each_and_say_that_nothing_is_new(
    service: AuthUnderTest,
) -> None:
    for _ in range(100):
        await service.signed_in()
    assert service.transport.calls == 100
    events = await service.events("user.authorized")
    assert [event for event in events[1:] if event["first_time"] or event["scopes_gained"]] == []
    assert not any(event["access_regained"] for event in events)


async def test_two_first_sign_ins_at_once_make_one_user(service: AuthUnderTest) -> None:
    answers = await asyncio.gather(*(service.sign_in() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["user_id"] for answer in answers}) == 1
    assert sum(answer.json()["first_time"] for answer in answers) == 1


async def test_the_name_on_record_survives_another_sign_in(service: AuthUnderTest) -> None:
    await service.signed_in()
    await execute(service.database, "update users set display_name = 'Ola'")
    assert (await service.sign_in()).json()["display_name"] == "Ola"


@pytest.mark.parametrize("scope", ["read", "", "read,activity:read_all"])
async def test_without_the_scope_that_webhooks_need_the_code_is_not_even_used(
    service: AuthUnderTest, scope: str
) -> None:
    refused = await service.sign_in(scope=scope)
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"
    assert service.transport.calls == 0


async def test_a_refusal_at_strava_is_told_apart(service: AuthUnderTest) -> None:
    refused = await service.complete(await service.state(), error="access_denied")
    assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
    assert service.transport.calls == 0


async def test_a_code_works_once(service: AuthUnderTest) -> None:
    code = service.code()
    assert (await service.sign_in(code=code)).status_code == 200
    again = await service.sign_in(code=code)
    assert again.status_code == 409
    assert again.json()["code"] == "sign_in_expired"
    assert len(await service.events()) == 1


async def test_a_state_works_once(service: AuthUnderTest) -> None:
    state = await service.state()
    assert (await service.complete(state, code=service.code(), scope=ALL)).status_code == 200
    again = await service.complete(state, code=service.code(), scope=ALL)
    assert (again.status_code, again.json()["code"]) == (409, "sign_in_expired")


async def test_a_state_works_in_its_browser_only_and_survives_a_foreign_attempt(service: AuthUnderTest) -> None:
    state, own = await service.state(), service.browser
    service.browser = OTHER_BROWSER
    foreign = await service.complete(state, code=service.code(), scope=ALL)
    assert (foreign.status_code, foreign.json()["code"]) == (409, "sign_in_expired")
    assert service.transport.calls == 0
    service.browser = own
    assert (await service.complete(state, code=service.code(), scope=ALL)).status_code == 200


async def test_two_tabs_of_one_browser_both_sign_in(service: AuthUnderTest) -> None:
    urls = [(await service.begin()).json()["url"] for _ in range(2)]
    states = [parse_qs(urlsplit(url).query)["state"][0] for url in urls]
    assert states[0] != states[1]
    for state in states:
        assert (await service.complete(state, code=service.code(), scope=ALL)).status_code == 200


async def test_a_state_ends_after_a_quarter_hour(service: AuthUnderTest) -> None:
    state = await service.state()
    await execute(service.database, "update authorizations set created_at = created_at - interval '15 minutes'")
    assert (await service.complete(state, code=service.code(), scope=ALL)).json()["code"] == "sign_in_expired"


async def test_neither_the_state_nor_the_browser_is_in_the_database(service: AuthUnderTest) -> None:
    state = await service.state()
    stored = str(await fetch_rows(service.database, "select * from authorizations"))
    assert state not in stored
    assert service.browser not in stored


async def test_one_browser_may_begin_only_so_often(service: AuthUnderTest) -> None:
    statuses = [(await service.begin()).status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    refused = await service.begin()
    assert refused.json()["code"] == "rate_limited"
    service.browser = OTHER_BROWSER
    assert (await service.begin()).status_code == 200


def odd_charset(name: str) -> httpx.Response:
    return httpx.Response(400, content=b"\xff", headers={"Content-Type": f"text/html; charset={name}"})


@pytest.mark.parametrize(
    ("odd", "status", "code"),
    [
        (httpx.Response(500), 503, "unavailable"),
        (httpx.Response(597, text="<html>"), 503, "unavailable"),
        (httpx.Response(429, json={"errors": [{"resource": "Application", "code": "exceeded"}]}), 503, "unavailable"),
        (HTML, 503, "unavailable"),
        (httpx.Response(200, json={"access_token": "x"}), 503, "unavailable"),
        (httpx.Response(400, text="<html>a proxy</html>"), 503, "unavailable"),
        (httpx.Response(302, headers={"location": "https://status.strava.com"}), 503, "unavailable"),
        (httpx.Response(403, text="Error 403: Limit of connected athletes exceeded"), 403, "capacity"),
        (refusal(400, "Application"), 502, "strava_misconfigured"),
        (refusal(401, "Application"), 502, "strava_misconfigured"),
        (refusal(403, "Application"), 502, "strava_misconfigured"),
        (refusal(400, "RequestToken"), 409, "sign_in_expired"),
        (refusal(400, "AuthorizationCode"), 409, "sign_in_expired"),
        (httpx.Response(400, json={"errors": ["?"]}), 503, "unavailable"),
        (httpx.Response(400, json=["?"]), 503, "unavailable"),
        (httpx.Response(400, content=b"[" * 100_000), 503, "unavailable"),
        (odd_charset("undefined"), 503, "unavailable"),
        (odd_charset("rot13"), 503, "unavailable"),
        (odd_charset("hex"), 503, "unavailable"),
        (httpx.ReadTimeout("slow"), 503, "unavailable"),
        (httpx.DecodingError("broken gzip"), 503, "unavailable"),
    ],
)
async def test_trouble_at_strava_is_told_to_people_and_leaves_nothing(
    service: AuthUnderTest, odd: httpx.Response | Exception, status: int, code: str
) -> None:
    service.transport.script = [odd]
    refused = await service.sign_in()
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.json()["message"].endswith(".")
    assert not await fetch_rows(service.database, "select 1 from users")
    assert not await service.events()


async def test_a_connection_that_was_never_made_is_tried_again(service: AuthUnderTest) -> None:
    service.transport.script = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    assert (await service.sign_in()).status_code == 200


async def test_a_code_is_not_sent_twice_when_the_answer_was_lost(service: AuthUnderTest) -> None:
    service.transport.script = [httpx.ReadError("gone")]
    assert (await service.sign_in()).status_code == 503
    assert service.transport.calls == 1


@pytest.mark.parametrize(
    "athlete",
    [{"id": 0}, {"id": 2**63}, {"id": "Anna"}, {}, None],
)
async def test_an_athlete_without_a_usable_id_cannot_sign_in(service: AuthUnderTest, athlete: Any) -> None:
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000, "athlete": athlete}
    service.transport.script = [httpx.Response(200, json=grant)]
    assert (await service.sign_in()).status_code == 503


async def test_a_name_that_no_page_can_show_is_stored_without_what_cannot_be_shown(service: AuthUnderTest) -> None:
    athlete = {"id": 2**63 - 1, "firstname": "A\x00na", "lastname": None}
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000, "athlete": athlete}
    service.transport.script = [httpx.Response(200, json=grant)]
    answer = (await service.sign_in()).json()
    assert (answer["athlete_id"], answer["display_name"], answer["is_admin"]) == (2**63 - 1, "Ana", False)


async def test_the_authorize_url_asks_for_what_is_needed(service: AuthUnderTest) -> None:
    url = (await service.begin()).json()["url"]
    query = parse_qs(urlsplit(url).query)
    assert query["scope"] == [ALL]
    assert query["redirect_uri"] == ["http://localhost:8000/auth/strava/callback"]
    assert query["approval_prompt"] == ["auto"]
    assert SECRET not in url
    origin = (await service.web.get("/authorizations/origin")).json()["origin"]
    assert url.startswith(f"{origin}/oauth/authorize?")


async def test_stravas_page_is_shown_again_to_those_who_left_a_scope_out(service: AuthUnderTest) -> None:
    url = (await service.begin(force_prompt=True)).json()["url"]
    assert parse_qs(urlsplit(url).query)["approval_prompt"] == ["force"]


async def test_each_caller_may_do_its_own_and_nothing_else(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    callers = {"web": service.web, "sync": service.sync, "operator": service.operator}
    routes = {
        "web": [
            ("GET", "/authorizations/origin"),
            ("POST", "/authorizations"),
            ("POST", "/sign-ins"),
            ("GET", f"/users/{user}"),
            ("PATCH", f"/users/{user}"),
            ("DELETE", f"/users/{user}/authorization"),
            ("DELETE", f"/users/{user}"),
        ],
        "sync": [("GET", f"/users/{user}/access-token")],
        "operator": [
            ("GET", "/admins"),
            ("PUT", "/admins/9"),
            ("DELETE", "/admins/9"),
            ("GET", "/vault"),
            ("POST", "/vault/rotate"),
        ],
    }
    for name, allowed in routes.items():
        for method, path in allowed:
            for caller, client in callers.items():
                if caller != name:
                    assert (await client.request(method, path)).status_code == 403, f"{caller}: {method} {path}"
            for header in ("", "Bearer", "Bearer ", "Bearer ż"):
                refused = await service.web.request(method, path, headers={b"Authorization": header.encode()})
                assert refused.status_code == 403
    assert (await service.token(user)).status_code == 200


async def test_a_malformed_request_is_named_without_what_it_holds(service: AuthUnderTest) -> None:
    refused = await service.complete(await service.state(), code="s3cret" * 100, scope=ALL)
    assert refused.status_code == 422
    assert "body.code" in refused.json()["message"]
    assert "s3cret" not in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {"browser": "", "consent_version": "1"},
        {"browser": "x" * 101, "consent_version": "1"},
        {"browser": "żółw" * 10, "consent_version": "1"},
        {"browser": BROWSER, "consent_version": "a\nb"},
        {"browser": BROWSER},
        {},
        [],
    ],
)
async def test_a_malformed_beginning_is_refused(service: AuthUnderTest, body: Any) -> None:
    refused = await service.web.post("/authorizations", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


async def test_a_state_that_began_at_one_replica_ends_at_another(service: AuthUnderTest, replica: Replica) -> None:
    state = await service.state()
    body = {"browser": service.browser, "state": state, "code": service.code(), "scope": ALL}
    assert (await replica.web.post("/sign-ins", json=body)).status_code == 200
