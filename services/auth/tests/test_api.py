"""The internal API, with the simulator as Strava and a real database."""

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
import structlog
from auth_rig import ALL, ATHLETE, SECRET, World
from sqlalchemy import text

HTML = httpx.Response(200, text="<html>Strava is having a rest</html>")


def refusal(status: int, resource: str) -> httpx.Response:
    return httpx.Response(status, json={"message": "Bad Request", "errors": [{"resource": resource, "field": ""}]})


async def test_a_first_sign_in_tells_who_came_and_emits_it(world: World) -> None:
    answer = (await world.sign_in(version="2026-01")).json()
    [event] = await world.events()
    assert answer["first_time"]
    assert answer["athlete_id"] == ATHLETE
    assert answer["is_admin"]
    assert UUID(answer["user_id"]).version == 7
    assert event["scopes"] == sorted(ALL.split(","))
    assert event["consent_version"] == "2026-01"
    assert {name: event[name] for name in answer} == answer


async def test_a_second_sign_in_is_the_same_user_with_new_tokens(world: World) -> None:
    first = (await world.sign_in()).json()
    before = await world.tokens_row()
    second = (await world.sign_in(version="2")).json()
    assert second == {**first, "first_time": False}
    assert [event["first_time"] for event in await world.events()] == [True, False]
    assert (await world.tokens_row()).refresh_token != before.refresh_token
    [user] = await world.rows("select consent_version from users")
    assert user.consent_version == "2"


async def test_two_first_sign_ins_at_once_make_one_user(world: World) -> None:
    answers = await asyncio.gather(*(world.sign_in() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["user_id"] for answer in answers}) == 1
    assert sum(answer.json()["first_time"] for answer in answers) == 1


async def test_the_name_on_record_survives_another_sign_in(world: World) -> None:
    await world.signed_in()
    async with world.database.transaction() as session:
        await session.execute(text("update users set display_name = 'Ola'"))
    assert (await world.sign_in()).json()["display_name"] == "Ola"


async def test_without_the_scope_the_code_is_not_even_used(world: World) -> None:
    refused = await world.sign_in(scope="read")
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"
    assert not world.wire.bodies


async def test_a_code_works_once(world: World) -> None:
    code = world.code()
    assert (await world.sign_in(code=code)).status_code == 200
    again = await world.sign_in(code=code)
    assert again.status_code == 409
    assert again.json()["code"] == "sign_in_expired"
    assert len(await world.events()) == 1


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
    world: World, odd: httpx.Response | Exception, status: int, code: str
) -> None:
    world.wire.odd = [odd]
    refused = await world.sign_in()
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.json()["message"].endswith(".")
    assert not await world.rows("select 1 from users")
    assert not await world.events()


async def test_a_connection_that_was_never_made_is_tried_again(world: World) -> None:
    world.wire.odd = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    assert (await world.sign_in()).status_code == 200


async def test_a_code_is_not_sent_twice_when_the_answer_was_lost(world: World) -> None:
    world.wire.odd = [httpx.ReadError("gone")]
    assert (await world.sign_in()).status_code == 503
    assert len(world.wire.bodies) == 1


@pytest.mark.parametrize(
    "athlete",
    [{"id": 0}, {"id": 2**63}, {"id": "Anna"}, {}, None],
)
async def test_an_answer_without_a_usable_athlete_is_refused(world: World, athlete: Any) -> None:
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 2_000_000_000, "athlete": athlete}
    world.wire.odd = [httpx.Response(200, json=grant)]
    assert (await world.sign_in()).status_code == 503


@pytest.mark.parametrize("expires_at", [10**20, -1, "soon"])
async def test_an_absurd_expiry_is_an_answer_that_cannot_be_read(world: World, expires_at: Any) -> None:
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": expires_at, "athlete": {"id": 1}}
    world.wire.odd = [httpx.Response(200, json=grant)]
    assert (await world.sign_in()).json()["code"] == "unavailable"


async def test_athlete_ids_have_64_bits_and_odd_names_are_kept_readable(world: World) -> None:
    athlete = {"id": 2**63 - 1, "firstname": "A\x00na", "lastname": None}
    grant = {"access_token": "a", "refresh_token": "r", "expires_at": 2_000_000_000, "athlete": athlete}
    world.wire.odd = [httpx.Response(200, json=grant)]
    answer = (await world.sign_in()).json()
    assert (answer["athlete_id"], answer["display_name"], answer["is_admin"]) == (2**63 - 1, "Ana", False)


async def test_the_authorize_url_asks_for_what_is_needed(world: World) -> None:
    url = (await world.web.get("/authorize-url", params={"state": "a b&c"})).json()["url"]
    query = parse_qs(urlsplit(url).query)
    assert query["state"] == ["a b&c"]
    assert query["scope"] == [ALL]
    assert SECRET not in url


async def test_only_sync_may_have_tokens_and_only_web_may_sign_people_in(world: World) -> None:
    user = await world.signed_in()
    assert (await world.web.get(f"/users/{user}/access-token")).status_code == 403
    assert (
        await world.sync.post("/sign-ins", json={"code": "x", "scope": ALL, "consent_version": "1"})
    ).status_code == 403
    assert (await world.sync.get("/authorize-url", params={"state": "x"})).status_code == 403
    for header in ("", "Bearer", "Bearer ", "Bearer ż"):
        refused = await world.sync.get(f"/users/{user}/access-token", headers={b"Authorization": header.encode()})
        assert refused.status_code == 403


async def test_a_malformed_request_is_named_without_what_it_holds(world: World) -> None:
    refused = await world.web.post("/sign-ins", json={"code": "s3cret" * 100, "scope": ALL, "consent_version": "1"})
    assert refused.status_code == 422
    assert "body.code" in refused.json()["message"]
    assert "s3cret" not in refused.text


async def test_no_secret_is_in_a_log_an_event_or_plain_in_a_table(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    code = world.code()
    with structlog.testing.capture_logs() as lines:
        world.wire.odd = [httpx.ConnectError("refused")]
        world.clock.tokens_end_in(minutes=-30)
        user = str((await world.sign_in(code=code)).json()["user_id"])
        world.clock.present()
        token = (await world.token(user)).json()["access_token"]
        await world.sign_in(code=code)
        world.wire.odd = [HTML, refusal(400, "RefreshToken")]
        await world.token(user, fresh=True)
        await world.token(user, fresh=True)
    shown = f"{lines} {caplog.text} {capsys.readouterr()}"
    stored = (
        str(await world.events())
        + str(await world.rows("select * from tokens"))
        + str(await world.rows("select * from outbox"))
    )
    secrets = {code, token, SECRET}
    for answer in world.wire.answers[:2]:
        fields = httpx.Response(200, content=answer).json()
        secrets |= {fields["access_token"], fields["refresh_token"]}
    assert len(secrets) == 6
    for secret in secrets:
        assert secret not in shown
        assert secret not in stored
    assert any(line["event"] == "stamina.retry_scheduled" for line in lines), "the canary sang into something"
