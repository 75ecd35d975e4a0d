"""Access tokens: who gets them, when they are refreshed, and that it happens once."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from auth_rig import KEYRING, World
from sqlalchemy import text

from auth import queries


def refusal(status: int, resource: str) -> httpx.Response:
    return httpx.Response(status, json={"message": "Bad Request", "errors": [{"resource": resource, "field": ""}]})


async def test_a_token_with_life_left_is_given_out_as_it_is(world: World) -> None:
    user = await world.signed_in()
    answer = await world.token(user)
    assert answer.status_code == 200
    assert world.strava.tokens.is_known(answer.json()["access_token"])
    assert len(world.wire.bodies) == 1


async def test_a_token_that_is_due_is_refreshed_and_stored(world: World) -> None:
    world.clock.tokens_end_in(minutes=30)
    user = await world.signed_in()
    before = await world.tokens_row()
    world.clock.present()
    fresh = (await world.token(user)).json()
    after = await world.tokens_row()
    assert after.expires_at > before.expires_at
    assert after.lease_until is None
    assert KEYRING.decrypt(after.access_token, f"tokens/{user}/access") == fresh["access_token"]
    assert (await world.token(user)).json() == fresh
    assert len(world.wire.bodies) == 2


@pytest.mark.parametrize("minutes", [30, -30])
async def test_two_requests_at_once_refresh_only_once(world: World, minutes: int) -> None:
    world.clock.tokens_end_in(minutes)
    user = await world.signed_in()
    world.clock.present()
    others: list[httpx.Response] = []

    async def ask_meanwhile() -> None:
        others.append(await world.token(user))

    world.wire.meanwhile = ask_meanwhile
    assert (await world.token(user)).status_code == 200
    assert len(world.wire.bodies) == 2, "one code, one refresh"
    # Strava honours the old token until it ends; when it has ended there is nothing to give.
    assert others[0].status_code == (200 if minutes > 0 else 503)


async def test_many_requests_at_once_never_use_a_refresh_token_twice(world: World) -> None:
    world.clock.tokens_end_in(minutes=-30)
    user = await world.signed_in()
    world.clock.present()
    answers = await asyncio.gather(*(world.token(user) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len(world.wire.bodies) == 2
    assert (await world.token(user)).status_code == 200


async def test_a_refresh_token_that_was_replaced_since_it_was_read_is_not_used(world: World) -> None:
    world.clock.tokens_end_in(minutes=-30)
    user = await world.signed_in()
    async with world.database.transaction() as session:
        seen = await queries.find_tokens(session, UUID(user))
    assert seen is not None
    world.clock.present()
    assert (await world.token(user)).status_code == 200
    async with world.database.transaction() as session:
        assert not await queries.lease_for_refresh(session, UUID(user), seen, world.clock.now(), world.clock.now())


async def test_a_sign_in_during_a_refresh_wins(world: World) -> None:
    world.clock.tokens_end_in(minutes=-30)
    user = await world.signed_in()
    world.clock.present()
    world.wire.meanwhile = world.sign_in
    assert (await world.token(user)).status_code == 200
    row = await world.tokens_row()
    assert KEYRING.decrypt(row.refresh_token, f"tokens/{user}/refresh").encode() in world.wire.answers[1]


async def test_a_lease_of_a_process_that_died_ends(world: World) -> None:
    world.clock.tokens_end_in(minutes=-30)
    user = await world.signed_in()
    world.clock.present()
    async with world.database.transaction() as session:
        await session.execute(text("update tokens set lease_until = now() + interval '20 s'"))
    assert (await world.token(user)).status_code == 503
    async with world.database.transaction() as session:
        await session.execute(text("update tokens set lease_until = now() - interval '1 s'"))
    assert (await world.token(user)).status_code == 200


async def test_a_refused_token_is_refreshed_when_asked_for(world: World) -> None:
    user = await world.signed_in()
    assert (await world.token(user, fresh=True)).status_code == 200
    assert len(world.wire.bodies) == 2


@pytest.mark.parametrize(("minutes", "status"), [(30, 200), (-30, 503)])
async def test_while_strava_is_away_the_old_token_does_as_long_as_it_lives(
    world: World, minutes: int, status: int
) -> None:
    world.clock.tokens_end_in(minutes)
    user = await world.signed_in()
    world.wire.odd = [httpx.Response(503, text="<html>")]
    assert (await world.token(user)).status_code == status
    assert (await world.tokens_row()).lease_until is None


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
    world: World, odd: httpx.Response, status: int, code: str
) -> None:
    world.clock.tokens_end_in(minutes=-30)
    user = await world.signed_in()
    world.wire.odd = [odd]
    refused = await world.token(user)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_an_unknown_user_has_no_token(world: World) -> None:
    refused = await world.token(str(uuid4()))
    assert refused.status_code == 404
    assert refused.json() == {"code": "not_found", "message": "This person has not connected Strava."}
