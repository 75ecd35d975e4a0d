"""Who is listed when, and who is not fetched any more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sync_helpers import ATHLETE, USER, SyncUnderTest

from shared.contracts.events import Event, UserDeauthorized, UserErased, UserReauthorizationNeeded
from sync.jobs.rules import is_given_up, needs_listing
from testkit.databases import execute, fetch_rows
from testkit.events import authorized, some_orders

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOW + timedelta(minutes=minute)


def signed_in(minute: int, **fields: Any) -> Event:
    return authorized(USER, athlete_id=ATHLETE, authorized_at=at(minute), **{"first_time": minute == 0, **fields})


def disconnected(minute: int) -> Event:
    return UserDeauthorized(user_id=USER, athlete_id=ATHLETE, reason="disconnected", deauthorized_at=at(minute))


def lost(minute: int) -> Event:
    return UserReauthorizationNeeded(user_id=USER, athlete_id=ATHLETE, reason="refresh_refused", lost_at=at(minute))


def erased() -> Event:
    return UserErased(user_id=USER, athlete_id=ATHLETE, reason="requested", erased_at=at(60))


@pytest.mark.parametrize(
    ("listed", "authorized_at", "sees_more", "was_lost", "needed"),
    [
        (None, at(0), False, False, True),
        (at(-1441), at(0), False, False, True),
        (at(-1440), at(0), False, False, False),
        (at(-10), at(0), False, False, False),
        (at(-10), at(0), True, False, True),
        (at(-10), at(0), False, True, True),
        (at(-10), at(-20), True, True, False),
    ],
)
def test_who_signs_in_is_listed_when_there_may_be_more_to_see(
    listed: datetime | None, authorized_at: datetime, sees_more: bool, was_lost: bool, needed: bool
) -> None:
    assert needs_listing(listed, authorized_at, NOW, sees_more=sees_more, was_lost=was_lost) is needed


@pytest.mark.parametrize(("attempts", "given_up"), [(8, False), (9, True)])
def test_a_job_is_given_up_after_eight_claims(attempts: int, given_up: bool) -> None:
    assert is_given_up(attempts) is given_up


async def test_a_hundred_sign_ins_cause_no_further_listing(service: SyncUnderTest) -> None:
    await service.authorize()
    await service.run_all()
    calls = service.transport.calls
    for _ in range(100):
        await service.sign_in_again()
    await service.run_all()
    assert len(await service.jobs()) == 1
    assert service.transport.calls == calls


@pytest.mark.parametrize("news", [{"scopes_gained": ("activity:read_all",)}, {"access_regained": True}])
async def test_who_lets_us_see_more_is_listed_again_once(service: SyncUnderTest, news: dict[str, Any]) -> None:
    await service.authorize()
    await service.run_all()
    service.clock.advance(1)
    event = authorized(USER, athlete_id=ATHLETE, authorized_at=service.now(), first_time=False, **news)
    for _ in range(3):
        service.clock.advance(1)
        await service.hear(event)
        await service.run_all()
    assert [job.outcome for job in await service.jobs()] == ["succeeded", "succeeded"]


async def test_who_signs_in_after_more_than_a_day_is_listed_again(service: SyncUnderTest) -> None:
    await service.authorize()
    await service.run_all()
    await execute(service.database, "update athletes set last_synced_at = last_synced_at - interval '25 hours'")
    await service.sign_in_again()
    assert len(await service.jobs()) == 2


async def test_a_job_that_waits_goes_on_waiting_whoever_signs_in(service: SyncUnderTest) -> None:
    await service.authorize()
    service.transport.script = [httpx.Response(429, json={})]
    await service.step()
    before = await service.jobs()
    await service.sign_in_again()
    await service.authorize()
    assert await service.jobs() == before


async def test_a_job_that_waits_is_due_at_once_when_there_is_more_to_see(service: SyncUnderTest) -> None:
    await service.authorize()
    service.transport.script = [httpx.Response(503)]
    await service.step()
    await service.sign_in_again(access_regained=True)
    [job] = await service.jobs()
    assert (job.attempts, job.not_before <= service.now()) == (0, True)


async def test_a_fetch_goes_on_when_its_athlete_merely_signs_in(service: SyncUnderTest) -> None:
    service.add_activities(1)
    service.transport.before[2] = service.sign_in_again
    await service.authorize()
    await service.step()
    assert len(await service.events("athlete.listed")) == 1
    assert [job.outcome for job in await service.jobs()] == ["succeeded"]


@pytest.mark.parametrize("event", [UserDeauthorized, UserReauthorizationNeeded])
async def test_a_fetch_ends_when_its_athlete_leaves(service: SyncUnderTest, event: type[Event]) -> None:
    service.add_activities(1)
    now = service.now() + timedelta(seconds=1)
    leaving = {
        UserDeauthorized: {"reason": "disconnected", "deauthorized_at": now},
        UserReauthorizationNeeded: {"reason": "refresh_refused", "lost_at": now},
    }[event]

    async def leave() -> None:
        await service.hear(event(user_id=USER, athlete_id=ATHLETE, **leaving))

    service.transport.before[2] = leave
    await service.authorize()
    await service.run_all()
    assert not await service.events("athlete.listed")
    assert [job.outcome for job in await service.jobs()] == [(await service.athlete()).status]
    assert (await service.athlete()).status in ("disconnected", "needs_reconnect")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ((signed_in(0), disconnected(1)), "disconnected"),
        ((signed_in(0), lost(1)), "needs_reconnect"),
        ((signed_in(0), disconnected(1), signed_in(2, access_regained=True)), "authorized"),
        ((signed_in(0), lost(1), signed_in(2, access_regained=True), disconnected(3)), "disconnected"),
        ((signed_in(0), signed_in(1), lost(2), disconnected(3)), "disconnected"),
    ],
)
async def test_in_whatever_order_it_is_told_the_latest_decides(
    service: SyncUnderTest, told: Sequence[Event], status: str
) -> None:
    for order in some_orders(told):
        await execute(service.database, "truncate athletes, jobs, erased_users")
        await service.hear(*order, *order)
        assert (await service.athlete()).status == status
        has_open = any(job.closed_at is None for job in await service.jobs())
        assert has_open is (status == "authorized"), [type(event).__name__ for event in order]


async def test_who_was_erased_does_not_come_back_whatever_is_told_late(service: SyncUnderTest) -> None:
    for order in some_orders((signed_in(0), disconnected(1), signed_in(2, access_regained=True), erased())):
        await execute(service.database, "truncate athletes, jobs, erased_users")
        await service.hear(*order, *order)
        assert not await fetch_rows(service.database, "select 1 from athletes")
        assert not await service.jobs()


async def test_an_erased_athlete_who_joins_again_is_fetched_whatever_is_told_late(service: SyncUnderTest) -> None:
    again = UUID(int=USER.int + 1)
    joined = authorized(again, athlete_id=ATHLETE, authorized_at=at(61))
    for order in some_orders((signed_in(0), erased(), joined)):
        await execute(service.database, "truncate athletes, jobs, erased_users")
        await service.hear(*order, *order)
        assert (await service.athlete()).user_id == again
        assert [job.user_id for job in await service.jobs()] == [again]


async def test_access_that_is_lost_while_its_athlete_signs_in_is_tried_with_the_new_permission(
    service: SyncUnderTest,
) -> None:
    service.transport.script = [httpx.Response(401), httpx.Response(401)]
    service.transport.before[2] = service.sign_in_again
    await service.authorize()
    await service.run_all()
    assert (await service.athlete()).status == "authorized"
    assert [job.outcome for job in await service.jobs()] == ["succeeded"]


async def test_access_that_sync_found_lost_is_regained_by_signing_in(service: SyncUnderTest) -> None:
    await service.authorize()
    await service.run_all()
    await execute(service.database, "update athletes set status = 'needs_reconnect'")
    await service.sign_in_again()
    assert (await service.athlete()).status == "authorized"
    assert len(await service.jobs()) == 2
