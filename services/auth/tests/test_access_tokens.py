"""Access tokens: who gets them, when they are refreshed, and that it happens once."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from auth_helpers import KEYRING, AuthUnderTest
from sqlalchemy import text

from auth import queries


def refusal(status: int, resource: str) -> httpx.Response:
    return httpx.Response(status, json={"message": "Bad Request", "errors": [{"resource": resource, "field": ""}]})


async def test_a_token_with_life_left_is_given_out_as_it_is(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    answer = await service.token(user)
    assert answer.status_code == 200
    assert service.strava.tokens.is_known(answer.json()["access_token"])
    assert service.transport.calls == 1


async def test_a_token_that_is_due_is_refreshed_and_stored(service: AuthUnderTest) -> None:
    service.set_token_lifetime(minutes=30)
    user = await service.signed_in()
    before = await service.tokens_row()
    service.reset_clock()
    fresh = (await service.token(user)).json()
    after = await service.tokens_row()
    assert after.expires_at > before.expires_at
    assert after.lease_until is None
    assert KEYRING.decrypt(after.access_token, f"tokens/{user}/access") == fresh["access_token"]
    assert (await service.token(user)).json() == fresh
    assert service.transport.calls == 2


@pytest.mark.parametrize("minutes", [30, -30])
async def test_two_requests_at_once_refresh_only_once(service: AuthUnderTest, minutes: int) -> None:
    service.set_token_lifetime(minutes)
    user = await service.signed_in()
    service.reset_clock()
    others: list[httpx.Response] = []

    async def ask_meanwhile() -> None:
        others.append(await service.token(user))

    service.transport.before[service.transport.calls + 1] = ask_meanwhile
    assert (await service.token(user)).status_code == 200
    assert service.transport.calls == 2, "one code, one refresh"
    # Strava honours the old token until it ends; when it has ended there is nothing to give.
    assert others[0].status_code == (200 if minutes > 0 else 503)


async def test_many_requests_at_once_never_use_a_refresh_token_twice(service: AuthUnderTest) -> None:
    service.set_token_lifetime(minutes=-30)
    user = await service.signed_in()
    service.reset_clock()
    answers = await asyncio.gather(*(service.token(user) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert service.transport.calls == 2
    assert (await service.token(user)).status_code == 200


async def test_a_refresh_token_that_was_replaced_since_it_was_read_is_not_used(service: AuthUnderTest) -> None:
    service.set_token_lifetime(minutes=-30)
    user = await service.signed_in()
    async with service.database.transaction() as session:
        seen = await queries.find_tokens(session, UUID(user))
    assert seen is not None
    service.reset_clock()
    assert (await service.token(user)).status_code == 200
    async with service.database.transaction() as session:
        assert not await queries.lease_for_refresh(
            session, UUID(user), seen, service.clock.now(), service.clock.now()
        )


async def test_a_sign_in_during_a_refresh_wins(service: AuthUnderTest) -> None:
    service.set_token_lifetime(minutes=-30)
    user = await service.signed_in()
    service.reset_clock()
    service.transport.before[service.transport.calls + 1] = service.sign_in
    assert (await service.token(user)).status_code == 200
    row = await service.tokens_row()
    assert (
        KEYRING.decrypt(row.refresh_token, f"tokens/{user}/refresh").encode() in service.transport.response_bodies[1]
    )


async def test_a_lease_of_a_process_that_died_ends(service: AuthUnderTest) -> None:
    service.set_token_lifetime(minutes=-30)
    user = await service.signed_in()
    service.reset_clock()
    async with service.database.transaction() as session:
        await session.execute(text("update tokens set lease_until = now() + interval '20 s'"))
    assert (await service.token(user)).status_code == 503
    async with service.database.transaction() as session:
        await session.execute(text("update tokens set lease_until = now() - interval '1 s'"))
    assert (await service.token(user)).status_code == 200


async def test_a_refused_token_is_refreshed_when_asked_for(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    assert (await service.token(user, fresh=True)).status_code == 200
    assert service.transport.calls == 2


@pytest.mark.parametrize(("minutes", "status"), [(30, 200), (-30, 503)])
async def test_while_strava_is_away_the_old_token_does_as_long_as_it_lives(
    service: AuthUnderTest, minutes: int, status: int
) -> None:
    service.set_token_lifetime(minutes)
    user = await service.signed_in()
    service.transport.script = [httpx.Response(503, text="<html>")]
    assert (await service.token(user)).status_code == status
    assert (await service.tokens_row()).lease_until is None


@pytest.mark.parametrize(
    ("odd", "status", "code"),
    [
        (refusal(400, "RefreshToken"), 409, "reauthorization_needed"),
        (refusal(400, "Application"), 502, "strava_misconfigured"),
        (httpx.Response(403, text="<html>a proxy</html>"), 503, "unavailable"),
        (httpx.Response(404, text="<html>"), 503, "unavailable"),
        (httpx.Response(429, json={"errors": [{"resource": "RefreshToken"}]}), 503, "unavailable"),
    ],
)
async def test_only_stravas_own_words_end_a_permission(
    service: AuthUnderTest, odd: httpx.Response, status: int, code: str
) -> None:
    service.set_token_lifetime(minutes=-30)
    user = await service.signed_in()
    service.transport.script = [odd]
    refused = await service.token(user)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_an_unknown_user_has_no_token(service: AuthUnderTest) -> None:
    refused = await service.token(str(uuid4()))
    assert refused.status_code == 404
    assert refused.json() == {"code": "not_found", "message": "This person has not connected Strava."}
