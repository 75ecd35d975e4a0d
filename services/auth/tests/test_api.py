"""The internal API, with the simulator as Strava and a real database."""

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
import structlog
from auth_helpers import ALL, ATHLETE, SECRET, AuthUnderTest
from sqlalchemy import text

from testkit.databases import fetch_rows

HTML = httpx.Response(200, text="<html>Strava is having a rest</html>")


def refusal(status: int, resource: str) -> httpx.Response:
    return httpx.Response(status, json={"message": "Bad Request", "errors": [{"resource": resource, "field": ""}]})


async def test_a_first_sign_in_tells_who_came_and_emits_it(service: AuthUnderTest) -> None:
    answer = (await service.sign_in(version="2026-01")).json()
    [event] = await service.events()
    assert answer["first_time"]
    assert answer["athlete_id"] == ATHLETE
    assert answer["is_admin"]
    assert UUID(answer["user_id"]).version == 7
    assert event["scopes"] == sorted(ALL.split(","))
    assert event["consent_version"] == "2026-01"
    assert {name: event[name] for name in answer} == answer


async def test_a_second_sign_in_is_the_same_user_with_new_tokens(service: AuthUnderTest) -> None:
    first = (await service.sign_in()).json()
    before = await service.tokens_row()
    second = (await service.sign_in(version="2")).json()
    assert second == {**first, "first_time": False}
    assert [event["first_time"] for event in await service.events()] == [True, False]
    assert (await service.tokens_row()).refresh_token != before.refresh_token
    [user] = await fetch_rows(service.database, "select consent_version from users")
    assert user.consent_version == "2"


async def test_two_first_sign_ins_at_once_make_one_user(service: AuthUnderTest) -> None:
    answers = await asyncio.gather(*(service.sign_in() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["user_id"] for answer in answers}) == 1
    assert sum(answer.json()["first_time"] for answer in answers) == 1


async def test_the_name_on_record_survives_another_sign_in(service: AuthUnderTest) -> None:
    await service.signed_in()
    async with service.database.transaction() as session:
        await session.execute(text("update users set display_name = 'Ola'"))
    assert (await service.sign_in()).json()["display_name"] == "Ola"


async def test_without_the_scope_the_code_is_not_even_used(service: AuthUnderTest) -> None:
    refused = await service.sign_in(scope="read")
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"
    assert service.transport.calls == 0


async def test_a_code_works_once(service: AuthUnderTest) -> None:
    code = service.code()
    assert (await service.sign_in(code=code)).status_code == 200
    again = await service.sign_in(code=code)
    assert again.status_code == 409
    assert again.json()["code"] == "sign_in_expired"
    assert len(await service.events()) == 1


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
async def test_an_answer_without_a_usable_athlete_is_refused(service: AuthUnderTest, athlete: Any) -> None:
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 2_000_000_000, "athlete": athlete}
    service.transport.script = [httpx.Response(200, json=grant)]
    assert (await service.sign_in()).status_code == 503


@pytest.mark.parametrize("expires_at", [10**20, -1, "soon"])
async def test_an_absurd_expiry_is_an_answer_that_cannot_be_read(service: AuthUnderTest, expires_at: Any) -> None:
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": expires_at, "athlete": {"id": 1}}
    service.transport.script = [httpx.Response(200, json=grant)]
    assert (await service.sign_in()).json()["code"] == "unavailable"


async def test_athlete_ids_have_64_bits_and_odd_names_are_kept_readable(service: AuthUnderTest) -> None:
    athlete = {"id": 2**63 - 1, "firstname": "A\x00na", "lastname": None}
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 2_000_000_000, "athlete": athlete}
    service.transport.script = [httpx.Response(200, json=grant)]
    answer = (await service.sign_in()).json()
    assert (answer["athlete_id"], answer["display_name"], answer["is_admin"]) == (2**63 - 1, "Ana", False)


async def test_the_authorize_url_asks_for_what_is_needed(service: AuthUnderTest) -> None:
    url = (await service.web.get("/authorize-url", params={"state": "a b&c"})).json()["url"]
    query = parse_qs(urlsplit(url).query)
    assert query["state"] == ["a b&c"]
    assert query["scope"] == [ALL]
    assert SECRET not in url


async def test_only_sync_may_have_tokens_and_only_web_may_sign_people_in(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    assert (await service.web.get(f"/users/{user}/access-token")).status_code == 403
    assert (
        await service.sync.post("/sign-ins", json={"code": "x", "scope": ALL, "consent_version": "1"})
    ).status_code == 403
    assert (await service.sync.get("/authorize-url", params={"state": "x"})).status_code == 403
    for header in ("", "Bearer", "Bearer ", "Bearer ż"):
        refused = await service.sync.get(f"/users/{user}/access-token", headers={b"Authorization": header.encode()})
        assert refused.status_code == 403


async def test_a_malformed_request_is_named_without_what_it_holds(service: AuthUnderTest) -> None:
    refused = await service.web.post("/sign-ins", json={"code": "s3cret" * 100, "scope": ALL, "consent_version": "1"})
    assert refused.status_code == 422
    assert "body.code" in refused.json()["message"]
    assert "s3cret" not in refused.text


async def test_no_secret_is_in_a_log_an_event_or_plain_in_a_table(
    service: AuthUnderTest, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    code = service.code()
    with structlog.testing.capture_logs() as lines:
        service.transport.script = [httpx.ConnectError("refused")]
        service.set_token_lifetime(minutes=-30)
        user = str((await service.sign_in(code=code)).json()["user_id"])
        service.reset_clock()
        token = (await service.token(user)).json()["access_token"]
        await service.sign_in(code=code)
        service.transport.script = [HTML, refusal(400, "RefreshToken")]
        await service.token(user, fresh=True)
        await service.token(user, fresh=True)
    shown = f"{lines} {caplog.text} {capsys.readouterr()}"
    stored = (
        str(await service.events())
        + str(await fetch_rows(service.database, "select * from tokens"))
        + str(await fetch_rows(service.database, "select * from outbox"))
    )
    secrets = {code, token, SECRET}
    for answer in service.transport.response_bodies[:2]:
        fields = httpx.Response(200, content=answer).json()
        secrets |= {fields["access_token"], fields["refresh_token"]}
    assert len(secrets) == 6
    for secret in secrets:
        assert secret not in shown
        assert secret not in stored
    assert any(line["event"] == "stamina.retry_scheduled" for line in lines), "the canary sang into something"
