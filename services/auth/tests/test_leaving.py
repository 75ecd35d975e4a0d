"""Names, disconnecting, being erased, and what Strava reports of people who left there."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from auth_helpers import ALL, ATHLETE, AuthUnderTest, Replica, make_context, start_replica

from auth.revocations.use_cases import purge_revocations, revoke_next
from auth.strava import Grant, StravaOAuth
from shared.contracts.events import ParticipantExpired, StravaDeauthorizationReported
from testkit.databases import execute, fetch_rows


def reported(athlete: int = ATHLETE, at: datetime | None = None) -> StravaDeauthorizationReported:
    return StravaDeauthorizationReported(athlete_id=athlete, event_time=at or datetime.now(UTC))


async def rows(service: AuthUnderTest, table: str) -> list[Any]:
    return await fetch_rows(service.database, f"select * from {table}")


async def test_a_new_name_is_stored_clean_and_emitted(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    answer = await service.web.patch(f"/users/{user}", json={"display_name": "  Ola \x00 \u202eLach  "})
    assert answer.json()["display_name"] == "Ola Lach"
    assert answer.json() == (await service.web.get(f"/users/{user}")).json()
    [event] = await service.events("user.renamed")
    assert (event["user_id"], event["display_name"]) == (user, "Ola Lach")


async def test_the_same_name_again_emits_nothing(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    for _ in range(2):
        await service.web.patch(f"/users/{user}", json={"display_name": "Ola"})
    assert len(await service.events("user.renamed")) == 1


@pytest.mark.parametrize("name", ["", "   ", "\x00\u200b", "x" * 81, "x" * 600, None, 7])
async def test_a_name_that_cannot_be_shown_is_refused(service: AuthUnderTest, name: Any) -> None:
    user = await service.signed_in()
    refused = await service.web.patch(f"/users/{user}", json={"display_name": name})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert not await service.events("user.renamed")


async def test_nobody_may_change_too_often(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    statuses = [
        (await service.web.patch(f"/users/{user}", json={"display_name": f"Ola {number}"})).status_code
        for number in range(21)
    ]
    assert statuses == [200] * 20 + [429]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("DELETE", "/authorization")]
)
async def test_somebody_unknown_is_not_found(service: AuthUnderTest, method: str, path: str) -> None:
    body = {"display_name": "Ola"} if method == "PATCH" else None
    refused = await service.web.request(method, f"/users/{uuid4()}{path}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_who_disconnects_has_no_tokens_at_once_and_no_permission_at_strava_soon(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    assert (await service.web.delete(f"/users/{user}/authorization")).status_code == 204
    assert not await rows(service, "tokens")
    assert (await service.token(user)).status_code == 404
    [event] = await service.events("user.deauthorized")
    assert (event["user_id"], event["athlete_id"], event["reason"]) == (user, ATHLETE, "disconnected")
    assert service.is_connected()
    assert await service.revoke_all() == 1
    assert not service.is_connected()
    assert (await service.web.get(f"/users/{user}")).json()["status"] == "disconnected"


async def test_disconnecting_twice_is_as_good_as_once(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    for _ in range(2):
        assert (await service.web.delete(f"/users/{user}/authorization")).status_code == 204
    assert len(await service.events("user.deauthorized")) == 1
    assert len(await rows(service, "revocations")) == 1


async def test_connecting_again_after_disconnecting_regains_access(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    await service.revoke_all()
    assert (await service.sign_in()).json()["user_id"] == user
    event = (await service.events("user.authorized"))[-1]
    assert (event["first_time"], event["access_regained"]) == (False, True)
    assert (await service.token(user)).status_code == 200


async def test_connecting_again_before_strava_was_told_cancels_the_revocation(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    await service.signed_in()
    assert await service.revoke_all() == 0
    assert (await service.token(user)).status_code == 200
    assert service.is_connected()


async def test_nobody_signs_in_while_their_permission_is_being_revoked(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    answers: list[httpx.Response] = []

    async def sign_in_meanwhile() -> None:
        answers.append(await service.sign_in())

    service.transport.before[service.transport.calls + 1] = sign_in_meanwhile
    await service.revoke_all()
    assert answers[0].status_code == 503
    assert (await service.sign_in()).status_code == 200


async def test_a_permission_that_was_revoked_after_its_code_was_exchanged_is_not_stored(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    exchange = StravaOAuth.exchange

    async def exchange_and_revoke(strava: StravaOAuth, code: str) -> Grant:
        grant = await exchange(strava, code)
        assert await service.revoke_all() == 1
        return grant

    monkeypatch.setattr(StravaOAuth, "exchange", exchange_and_revoke)
    refused = await service.sign_in()
    assert (refused.status_code, refused.json()["code"]) == (409, "sign_in_expired")
    assert not await rows(service, "tokens")


async def test_a_revocation_is_tried_until_strava_is_back(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    service.transport.script = [httpx.Response(503), httpx.Response(401, json={"errors": []})]
    for attempt in (1, 2):
        assert await service.revoke_all() == 1
        [row] = await rows(service, "revocations")
        assert (row.attempts, row.ended_at) == (attempt, None)
        assert row.not_before > datetime.now(UTC)
        await execute(service.database, "update revocations set not_before = now()")
    await service.revoke_all()
    assert not service.is_connected()
    [row] = await rows(service, "revocations")
    assert (row.access_token, row.refresh_token) == (None, None)
    assert row.ended_at


async def test_a_revocation_is_given_up_after_a_month(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    await execute(service.database, "update revocations set created_at = now() - interval '31 days'")
    service.transport.script = [httpx.Response(503)]
    await service.revoke_all()
    [row] = await rows(service, "revocations")
    assert (row.refresh_token, row.ended_at is not None) == (None, True)


async def test_a_revocation_of_a_process_that_died_is_done_by_another(
    service: AuthUnderTest, replica: Replica
) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    await execute(service.database, "update revocations set lease_until = now() + interval '1 minute'")
    assert not await revoke_next(replica.context)
    await execute(service.database, "update revocations set lease_until = now() - interval '1 second'")
    assert await revoke_next(replica.context)
    assert not service.is_connected()


async def test_what_ended_long_ago_is_forgotten(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}")
    await service.revoke_all()
    await purge_revocations(service.replica.context)
    assert await rows(service, "revocations")
    await execute(service.database, "update revocations set ended_at = now() - interval '2 hours'")
    await purge_revocations(service.replica.context)
    assert not await rows(service, "revocations")


@pytest.mark.parametrize("minutes", [300, -30])
async def test_the_older_way_of_revoking_works_with_living_and_with_expired_access_tokens(
    service: AuthUnderTest, minutes: int
) -> None:
    context = make_context(service.database, service.strava_client, uses_deauthorize=True)
    service.set_token_lifetime(minutes)
    user = await service.signed_in()
    service.reset_clock()
    async with start_replica(service.database, service.strava_client, context) as older:
        await older.web.delete(f"/users/{user}/authorization")
        assert await revoke_next(older.context)
    assert not service.is_connected()


async def test_the_older_way_of_revoking_goes_on_with_the_tokens_that_a_refresh_gave(service: AuthUnderTest) -> None:
    context = make_context(service.database, service.strava_client, uses_deauthorize=True)
    user = await service.expired_user()
    async with start_replica(service.database, service.strava_client, context) as older:
        await older.web.delete(f"/users/{user}/authorization")
        service.transport.script = [None, None, httpx.Response(503)]
        assert await revoke_next(older.context)
        await execute(service.database, "update revocations set not_before = now()")
        assert await revoke_next(older.context)
    assert not service.is_connected()


async def test_who_is_erased_leaves_nothing_but_the_order_to_revoke(service: AuthUnderTest) -> None:
    user = await service.signed_in(athlete=8)
    await service.operator.put("/admins/8")
    assert (await service.web.delete(f"/users/{user}")).status_code == 204
    [event] = await service.events("user.erased")
    assert (event["user_id"], event["athlete_id"], event["reason"]) == (user, 8, "requested")
    for table in ("users", "tokens", "admins"):
        assert not await rows(service, table)
    await service.revoke_all()
    assert not service.is_connected(8)
    assert (await service.web.delete(f"/users/{user}")).status_code == 404


async def test_who_joins_again_after_being_erased_is_somebody_new(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.patch(f"/users/{user}", json={"display_name": "Ola"})
    await service.web.delete(f"/users/{user}")
    again = (await service.sign_in()).json()
    assert again["user_id"] > user
    assert (again["first_time"], again["display_name"] == "Ola") == (True, False)
    # What is still to be revoked was for the permission before, and would end the new one.
    assert await service.revoke_all() == 0
    assert (await service.token(again["user_id"])).status_code == 200


async def test_who_has_an_unreadable_token_may_leave_all_the_same(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await execute(service.database, "update tokens set refresh_token = 'v1.k1.x.y'")
    assert (await service.web.delete(f"/users/{user}")).status_code == 204
    assert not await rows(service, "users")


async def test_a_reported_deauthorization_that_strava_stands_by_erases(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    service.strava.revoke(ATHLETE)
    await service.handle(reported(), reported())
    assert await service.check_deauthorizations() == 1
    [event] = await service.events("user.erased")
    assert (event["user_id"], event["reason"]) == (user, "revoked_at_strava")
    assert not await rows(service, "users")
    assert not await rows(service, "deauthorization_checks")


async def test_a_reported_deauthorization_that_is_not_so_changes_nothing(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.handle(reported())
    assert await service.check_deauthorizations() == 1
    assert not await service.events("user.erased")
    assert (await service.token(user)).status_code == 200
    assert not await rows(service, "deauthorization_checks")


async def test_a_report_is_checked_later_when_strava_is_away(service: AuthUnderTest) -> None:
    await service.signed_in()
    service.strava.revoke(ATHLETE)
    await service.handle(reported())
    service.transport.script = [httpx.Response(503)]
    assert await service.check_deauthorizations() == 1
    assert await rows(service, "users")
    await execute(service.database, "update deauthorization_checks set not_before = now()")
    assert await service.check_deauthorizations() == 1
    assert not await rows(service, "users")


async def test_a_report_during_a_check_is_checked_again(service: AuthUnderTest) -> None:
    await service.signed_in()
    await service.handle(reported())

    async def leave_meanwhile() -> None:
        await service.handle(reported())

    service.transport.before[service.transport.calls + 1] = leave_meanwhile
    assert await service.check_deauthorizations() == 1
    service.strava.revoke(ATHLETE)
    assert await rows(service, "users")
    await execute(service.database, "update deauthorization_checks set not_before = now()")
    assert await service.check_deauthorizations() == 1
    assert not await rows(service, "users")


async def test_many_reports_do_not_make_a_check_sooner(service: AuthUnderTest) -> None:
    await service.signed_in()
    await service.handle(reported())
    service.transport.script = [httpx.Response(503)]
    assert await service.check_deauthorizations() == 1
    await service.handle(reported(), reported())
    assert await service.check_deauthorizations() == 0


async def test_a_check_of_a_process_that_died_is_done_later(service: AuthUnderTest) -> None:
    await service.signed_in()
    await service.handle(reported())
    await execute(service.database, "update deauthorization_checks set not_before = now() + interval '1 minute'")
    assert await service.check_deauthorizations() == 0
    await execute(service.database, "update deauthorization_checks set not_before = now()")
    assert await service.check_deauthorizations() == 1


async def test_a_report_about_somebody_whose_refresh_was_refused_before_erases(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.strava.revoke(ATHLETE)
    assert (await service.token(user)).status_code == 409
    await service.handle(reported())
    await service.check_deauthorizations()
    assert len(await service.events("user.erased")) == 1


async def test_who_connects_again_before_the_check_stays(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    service.strava.revoke(ATHLETE)
    await service.handle(reported())
    await service.signed_in()
    await service.check_deauthorizations()
    assert (await service.token(user)).status_code == 200


async def test_an_old_report_is_not_about_the_latest_permission(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    service.strava.revoke(ATHLETE)
    assert (await service.token(user)).status_code == 409
    await service.handle(reported(at=datetime.now(UTC) - timedelta(hours=1)))
    assert await service.check_deauthorizations() == 0
    assert await rows(service, "users")


async def test_a_report_about_somebody_who_disconnected_here_or_is_unknown_is_ignored(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}/authorization")
    await service.revoke_all()
    await service.handle(reported(), reported(athlete=99))
    assert await service.check_deauthorizations() == 0
    assert await rows(service, "users")


async def test_who_takes_part_in_nothing_any_more_is_erased_and_revoked(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    [authorized] = await service.events("user.authorized")
    expired = ParticipantExpired(
        user_id=UUID(user), expired_at=datetime.now(UTC), authorized_at=authorized["authorized_at"]
    )
    await service.handle(expired, expired)
    [event] = await service.events("user.erased")
    assert event["reason"] == "expired"
    await service.revoke_all()
    assert not service.is_connected()


async def test_who_signed_in_since_stays_although_nobody_else_knows_it_yet(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    [before] = await service.events("user.authorized")
    await service.signed_in()
    for one in (UUID(user), uuid4()):
        await service.handle(
            ParticipantExpired(user_id=one, expired_at=datetime.now(UTC), authorized_at=before["authorized_at"])
        )
    assert not await service.events("user.erased")


async def test_an_interrupted_authorization_of_an_erased_person_starts_from_nothing(service: AuthUnderTest) -> None:
    user, state, browser = await service.signed_in(), await service.state(), service.browser
    await service.web.delete(f"/users/{user}")
    await service.revoke_all()
    service.browser = browser
    answer = (await service.complete(state, code=service.code(), scope=ALL)).json()
    assert answer["first_time"]
