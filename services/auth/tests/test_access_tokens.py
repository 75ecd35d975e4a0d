"""Access tokens: who gets them, when they are refreshed, and that it happens once."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from auth_helpers import AuthUnderTest, Replica
from sqlalchemy.exc import OperationalError

from auth.tokens import queries
from auth.tokens.refresher import TokenRefresher
from testkit.databases import execute, fetch_rows


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
    assert after.grant_id != before.grant_id
    assert after.lease_until is None
    assert service.decrypt(after, "access") == fresh["access_token"]
    assert (await service.token(user)).json() == fresh
    assert service.transport.calls == 2


async def test_two_hundred_requests_at_two_replicas_for_an_expired_token_make_one_refresh(
    service: AuthUnderTest, replica: Replica
) -> None:
    user = await service.expired_user()
    answers = await asyncio.gather(*(side.token(user) for _ in range(100) for side in (service.replica, replica)))
    assert [answer.status_code for answer in answers] == [200] * 200
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert service.transport.calls == 2, "one code, one refresh"


async def test_two_hundred_requests_after_a_refusal_ask_strava_once(service: AuthUnderTest, replica: Replica) -> None:
    user = await service.signed_in()
    await service.age_tokens()
    answers = await asyncio.gather(
        *(side.token(user, fresh=True) for _ in range(100) for side in (service.replica, replica))
    )
    assert [answer.status_code for answer in answers] == [200] * 200
    assert service.transport.calls == 2


async def test_a_request_during_a_refresh_elsewhere_waits_for_its_end(
    service: AuthUnderTest, replica: Replica
) -> None:
    user = await service.expired_user()
    waiting: list[asyncio.Task[httpx.Response]] = []

    async def ask_meanwhile() -> None:
        waiting.append(asyncio.create_task(replica.token(user)))
        await asyncio.sleep(0)

    service.transport.before[service.transport.calls + 1] = ask_meanwhile
    first = await service.token(user)
    assert (await waiting[0]).json() == first.json()
    assert service.transport.calls == 2


async def test_a_token_that_is_only_due_is_given_out_while_its_refresh_takes_long(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.tokens.refresher.SHORT_WAIT_S", 0.05)
    service.set_token_lifetime(minutes=30)
    user = await service.signed_in()
    service.reset_clock()
    old, go_on = service.decrypt(await service.tokens_row(), "access"), asyncio.Event()
    service.transport.before[service.transport.calls + 1] = go_on.wait
    assert (await service.token(user)).json()["access_token"] == old
    go_on.set()
    await service.replica.refresher.close()
    assert service.decrypt(await service.tokens_row(), "access") != old


async def test_a_refresh_that_takes_too_long_is_awaited_no_further_and_goes_on(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.tokens.refresher.WAIT_S", 0.05)
    user, go_on = await service.expired_user(), asyncio.Event()
    service.transport.before[service.transport.calls + 1] = go_on.wait
    refused = await service.token(user)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    go_on.set()
    await service.replica.refresher.close()
    assert (await service.token(user)).status_code == 200
    assert service.transport.calls == 2


async def test_a_refresh_token_that_was_replaced_since_it_was_read_is_not_used(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    async with service.database.transaction() as session:
        seen = await queries.find_tokens(session, UUID(user))
    assert seen is not None
    assert (await service.token(user)).status_code == 200
    async with service.database.transaction() as session:
        now = service.clock.now()
        assert await queries.lease_for_refresh(session, seen, now, now) is None


async def test_a_sign_in_during_a_refresh_wins(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.transport.before[service.transport.calls + 1] = service.sign_in
    answer = await service.token(user)
    row = await service.tokens_row()
    assert service.decrypt(row, "refresh").encode() in service.transport.response_bodies[1]
    assert answer.json()["access_token"] == service.decrypt(row, "access")


async def test_a_refusal_of_a_permission_that_was_replaced_meanwhile_ends_nothing(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.transport.before[service.transport.calls + 1] = service.sign_in
    service.transport.script = [None, refusal(400, "RefreshToken")]
    answer = await service.token(user)
    assert answer.status_code == 200
    assert answer.json()["access_token"] == service.decrypt(await service.tokens_row(), "access")
    assert not await service.events("user.reauthorization_needed")


async def test_a_hundred_requests_at_one_replica_ask_the_database_for_one_lease(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, leased, waiting = await service.expired_user(), [], []
    lease, refresh, all_wait = queries.lease_for_refresh, TokenRefresher._refresh, asyncio.Event()

    async def count_leases(*arguments: Any) -> Any:
        leased.append(arguments)
        return await lease(*arguments)

    async def count_waiting(*arguments: Any) -> Any:
        waiting.append(arguments)
        if len(waiting) == 100:
            all_wait.set()
        return await refresh(*arguments)

    monkeypatch.setattr(queries, "lease_for_refresh", count_leases)
    monkeypatch.setattr(TokenRefresher, "_refresh", count_waiting)
    # Strava answers when all have seen the expired token: one that saw it and asks after the refresh asks once more.
    service.transport.before[service.transport.calls + 1] = all_wait.wait
    answers = await asyncio.gather(*(service.token(user) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(leased) == 1


@pytest.mark.parametrize("revoked_first", [True, False])
async def test_what_a_refresh_gives_to_somebody_who_has_left_meanwhile_is_revoked(
    service: AuthUnderTest, revoked_first: bool
) -> None:
    user = await service.expired_user()

    async def leave() -> None:
        assert (await service.web.delete(f"/users/{user}")).status_code == 204
        if revoked_first:
            await service.revoke_all()

    service.transport.before[service.transport.calls + 1] = leave
    assert (await service.token(user)).status_code == 404
    await service.revoke_all()
    assert not service.is_connected()
    assert not await fetch_rows(service.database, "select 1 from revocations where refresh_token is not null")


async def test_a_lease_of_a_process_that_died_ends(service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.tokens.refresher.WAIT_S", 0.2)
    user = await service.expired_user()
    await execute(service.database, "update tokens set lease_until = now() + interval '20 s'")
    assert (await service.token(user)).status_code == 503
    await execute(service.database, "update tokens set lease_until = now() - interval '1 s'")
    assert (await service.token(user)).status_code == 200


async def test_a_refused_token_is_refreshed_when_asked_for(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.age_tokens()
    assert (await service.token(user, fresh=True)).status_code == 200
    assert service.transport.calls == 2


async def test_a_token_that_was_refreshed_a_moment_ago_is_not_refreshed_again(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    assert (await service.token(user, fresh=True)).status_code == 200
    assert service.transport.calls == 1


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
        (refusal(401, "Athlete"), 409, "reauthorization_needed"),
        (refusal(400, "Application"), 502, "strava_misconfigured"),
        (refusal(400, "Elsewhere"), 503, "unavailable"),
        (httpx.Response(403, text="<html>a proxy</html>"), 503, "unavailable"),
        (httpx.Response(404, text="<html>"), 503, "unavailable"),
        (httpx.Response(429, json={"errors": [{"resource": "RefreshToken"}]}), 503, "unavailable"),
    ],
)
async def test_only_stravas_own_words_end_a_permission(
    service: AuthUnderTest, odd: httpx.Response, status: int, code: str
) -> None:
    user = await service.expired_user()
    service.transport.script = [odd]
    refused = await service.token(user)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(await service.events("user.reauthorization_needed")) == (status == 409)


async def test_a_permission_that_ended_is_asked_about_once_and_then_known(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.strava.revoke(7)
    answers = await asyncio.gather(*(service.token(user) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {409}
    assert (await service.token(user)).json()["code"] == "reauthorization_needed"
    assert service.transport.calls == 2
    [event] = await service.events("user.reauthorization_needed")
    assert (event["user_id"], event["reason"]) == (user, "refresh_refused")
    assert not await fetch_rows(service.database, "select 1 from tokens")
    assert (await service.web.get(f"/users/{user}")).json()["status"] == "reauthorization_needed"


async def test_connecting_again_after_the_permission_ended_regains_access(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.strava.revoke(7)
    await service.token(user)
    again = (await service.sign_in()).json()
    assert (again["user_id"], again["first_time"]) == (user, False)
    event = (await service.events("user.authorized"))[-1]
    assert (event["first_time"], event["scopes_gained"], event["access_regained"]) == (False, [], True)
    assert (await service.token(user)).status_code == 200


async def test_a_database_that_is_away_when_strava_has_answered_costs_no_permission(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await service.expired_user()
    replace, failures = queries.replace_tokens, [OperationalError("away", None, OSError())] * 2

    async def fail_at_first(*arguments: object) -> bool:
        if failures:
            raise failures.pop()
        return await replace(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "replace_tokens", fail_at_first)
    assert (await service.token(user)).status_code == 200
    assert not failures
    assert service.transport.calls == 2, "one code, one refresh"
    assert (await service.token(user)).status_code == 200


async def test_an_unknown_user_has_no_token(service: AuthUnderTest) -> None:
    refused = await service.token(str(uuid4()))
    assert refused.status_code == 404
    assert refused.json() == {"code": "not_found", "message": "This person has not connected Strava."}


@pytest.mark.parametrize(
    "damage",
    [
        "update tokens set access_token = left(access_token, -4)",
        "update tokens set access_token = refresh_token",
        "update tokens set access_token = access_token || '!'",
        "update tokens as t set access_token = o.access_token from tokens as o where o.user_id <> t.user_id",
        "update tokens set access_token = replace(access_token, 'v1.k1.', 'v1.k0.')",
    ],
)
async def test_an_altered_token_is_reported_by_its_row_and_never_given_out(
    service: AuthUnderTest, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    user = await service.signed_in()
    await service.signed_in(athlete=8)
    await execute(service.database, damage)
    refused = await service.token(user)
    assert (refused.status_code, refused.json()["code"]) == (500, "token_unreadable")
    assert f"tokens/{user}/access" in capsys.readouterr().out
