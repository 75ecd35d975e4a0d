"""Leases: one worker for a job, none for long when it died, and a sign-in starts anew."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import httpx
import pytest
from sync_helpers import ATHLETE, USER, SyncUnderTest

from shared.contracts.events import SyncRequested
from sync.budget.queries import lock_budget
from sync.jobs import queries, rules
from sync.jobs.dispatcher import dispatch
from testkit.databases import execute, fetch_rows
from testkit.events import authorized
from testkit.handling import emitted


async def test_a_worker_that_lost_its_lease_writes_nothing(service: SyncUnderTest) -> None:
    service.add_activities(1)

    async def steal() -> None:
        await execute(service.database, "update jobs set lease = :thief", thief=uuid4())

    service.transport.before[1] = steal
    await service.authorize()
    await service.step()
    assert not await service.events()
    job = await service.job()
    assert (job.closed_at, job.attempts) == (None, 1)
    assert job.lease_until is not None


@pytest.mark.parametrize("odd", [httpx.Response(429), httpx.Response(500), httpx.Response(401)])
async def test_a_failure_after_the_lease_was_lost_changes_nothing(
    service: SyncUnderTest, odd: httpx.Response
) -> None:
    thief = uuid4()

    async def steal() -> None:
        await execute(service.database, "update jobs set lease = :thief", thief=thief)

    service.transport.before[1] = steal
    service.transport.script = [odd, odd]
    await service.authorize()
    await service.step()
    assert (await service.job()).lease == thief
    assert (await service.athlete()).status == "authorized"
    assert not await service.events()


async def test_the_job_of_a_worker_that_died_is_taken_up_after_its_lease(service: SyncUnderTest) -> None:
    service.add_activities(1)
    await service.authorize()
    async with service.database.transaction() as session:
        now = service.now()
        dead = await queries.claim_job(session, (await service.job()).id, uuid4(), now, now + timedelta(minutes=2))
    assert dead is not None
    assert not await service.step()
    service.clock.advance(121)
    assert await service.step()
    assert (await service.job()).outcome == "succeeded"
    fetched = (await service.fetched())[-1]
    assert fetched["fetch_seq"] == (await service.athlete()).fetch_seq > dead.fetch_seq


async def test_a_job_that_kills_its_workers_is_given_up(service: SyncUnderTest) -> None:
    await service.authorize()
    await execute(service.database, "update jobs set attempts = :n", n=rules.MAX_ATTEMPTS)
    await service.step()
    assert (await service.job()).outcome == "failed"
    assert service.transport.calls == 0


async def test_an_unforeseen_error_costs_an_attempt_and_is_seen(service: SyncUnderTest) -> None:
    service.transport.script = [ZeroDivisionError()]
    await service.authorize()
    with pytest.raises(ZeroDivisionError):
        await service.step()
    job = await service.job()
    assert (job.attempts, job.lease) == (1, None)
    assert 8 < job.wait_s < 16


async def test_a_sign_in_with_a_wider_permission_during_a_fetch_starts_it_anew(service: SyncUnderTest) -> None:
    service.add_activities(1)
    service.transport.before[2] = partial(service.sign_in_again, scopes_gained=("activity:read_all",))
    await service.authorize()
    await service.step()
    assert not await service.events("athlete.listed")
    await service.step()
    [listed] = await service.events("athlete.listed")
    assert listed["fetch_seq"] == (await service.athlete()).fetch_seq
    assert (await service.job()).outcome == "succeeded"


async def test_a_sign_in_while_access_is_being_lost_wins(service: SyncUnderTest) -> None:
    service.add_activities(1)
    service.transport.script = [httpx.Response(401), httpx.Response(401)]
    service.transport.before[2] = service.authorize
    await service.authorize()
    await service.step()
    assert (await service.athlete()).status == "authorized"
    await service.step()
    assert (await service.job()).outcome == "succeeded"


async def test_a_sign_in_after_access_was_lost_fetches_again(service: SyncUnderTest) -> None:
    service.auth.revoked = True
    await service.authorize()
    await service.step()
    service.auth.revoked = False
    await service.authorize()
    await service.step()
    athlete = await service.athlete()
    assert (athlete.status, athlete.last_error) == ("authorized", None)
    assert athlete.last_synced_at is not None


async def test_sign_ins_at_once_open_one_job(service: SyncUnderTest) -> None:
    await asyncio.gather(*(service.authorize() for _ in range(5)))
    assert len(await fetch_rows(service.database, "select 1 from jobs")) == 1


async def test_workers_at_once_share_the_jobs(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=5)
    for number in range(5):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await dispatch(service.database, service.now())
    released = await service.released()
    done = await asyncio.gather(*(service.worker.run(job_id) for job_id in released * 3))
    assert sum(done) == len(released) == 5
    assert len(await service.events("sync.finished")) == 5


async def test_two_dispatchers_at_once_release_each_job_once(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=9)
    for number in range(9):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await asyncio.gather(*(dispatch(service.database, service.now()) for _ in range(6)))
    told = [event["job_id"] for _, event in await emitted(service.database, "job.released")]
    assert sorted(told) == sorted({*told}) == sorted(await service.released())
    assert len(told) == 9


async def test_two_dispatchers_at_once_release_no_more_than_there_are_calls_for(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(athletes=9)
    async with service.database.transaction() as session:
        await lock_budget(session, service.now())
    await execute(service.database, "update budget set read_limit = 5")
    for number in range(9):
        await service.hear(
            authorized(UUID(int=ATHLETE + number), athlete_id=ATHLETE + number, authorized_at=service.now())
        )
    await asyncio.gather(*(dispatch(service.database, service.now()) for _ in range(6)))
    await dispatch(service.database, service.now())
    assert 0 < len(await service.released()) <= 5


async def test_an_athlete_has_one_fetch_at_a_time(service: SyncUnderTest) -> None:
    await service.authorize()
    [join] = await service.jobs()
    await service.hear(
        SyncRequested(user_id=USER, reason="organiser", requested_by="key", requested_at=service.now())
    )
    assert len(await service.jobs()) == 2
    await dispatch(service.database, service.now())
    assert await service.released() == [join.id]
    manual = max(job.id for job in await service.jobs())

    async def run_the_other() -> None:
        assert not await service.worker.run(manual)
        await dispatch(service.database, service.now())
        assert await service.released() == []

    service.transport.before[1] = run_the_other
    assert await service.worker.run(join.id)


async def test_a_release_whose_message_is_lost_is_made_again(service: SyncUnderTest) -> None:
    await service.authorize()
    await dispatch(service.database, service.now())
    await dispatch(service.database, service.now())
    assert len(await emitted(service.database, "job.released")) == 1
    service.clock.advance(rules.RELEASE_TIMEOUT.total_seconds())
    await dispatch(service.database, service.now())
    assert len(await emitted(service.database, "job.released")) == 2


async def test_fetches_after_a_restore_are_numbered_above_all_before(service: SyncUnderTest) -> None:
    await service.authorize()
    await service.step()
    [before] = await service.events("athlete.listed")
    await execute(service.database, "update athletes set fetch_seq = 0")  # as in a backup
    await service.authorize()
    await service.step()
    after = (await service.events("athlete.listed"))[-1]
    assert after["fetch_seq"] > before["fetch_seq"]


async def test_somebody_who_was_erased_and_joins_again_is_fetched_although_the_former_self_is_not_erased_yet(
    service: SyncUnderTest,
) -> None:
    service.add_activities(1)
    former, present = UUID(int=7), UUID(int=8)
    await service.authorize(former)
    for _ in range(3):
        await service.step()
        await service.authorize(former, first_time=False, scopes_gained=("activity:read_all",))
    await service.authorize(present)
    await service.run_all()
    last = (await service.fetched())[-1]
    assert last["user_id"] == str(present)
    assert last["fetch_seq"] == max(event["fetch_seq"] for event in await service.fetched())
    assert (await service.athlete()).user_id == present
    await service.authorize(former)  # told late, or once more
    assert (await service.athlete()).user_id == present
