"""Leases: one worker for a job, none for long when it died, and a sign-in starts anew."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sync_rig import World

from sync import domain, queries


async def test_a_worker_that_lost_its_lease_writes_nothing(world: World) -> None:
    world.give(1)

    async def steal() -> None:
        await world.execute("update jobs set lease = :thief", thief=uuid4())

    world.wire.meanwhile[1] = steal
    await world.authorize()
    await world.worker.step()
    assert not await world.events()
    job = await world.job()
    assert (job.closed_at, job.attempts) == (None, 1)
    assert job.lease_until is not None


@pytest.mark.parametrize("odd", [httpx.Response(429), httpx.Response(500), httpx.Response(401)])
async def test_a_failure_after_the_lease_was_lost_changes_nothing(world: World, odd: httpx.Response) -> None:
    thief = uuid4()

    async def steal() -> None:
        await world.execute("update jobs set lease = :thief", thief=thief)

    world.wire.meanwhile[1] = steal
    world.wire.odd = [odd, odd]
    await world.authorize()
    await world.worker.step()
    assert (await world.job()).lease == thief
    assert (await world.athlete()).status == "authorized"
    assert not await world.events()


async def test_the_job_of_a_worker_that_died_is_taken_up_after_its_lease(world: World) -> None:
    world.give(1)
    await world.authorize()
    async with world.database.transaction() as session:
        now = datetime.now(UTC)
        dead = await queries.claim_job(session, uuid4(), now, now + timedelta(minutes=2))
    assert dead is not None
    assert not await world.worker.step()
    await world.execute("update jobs set lease_until = now() - interval '1 s'")
    assert await world.worker.step()
    assert (await world.job()).outcome == "succeeded"
    [fetched] = await world.events("activity.fetched")
    assert fetched["fetch_seq"] == (await world.athlete()).fetch_seq > dead.fetch_seq


async def test_a_job_that_kills_its_workers_is_given_up(world: World) -> None:
    await world.authorize()
    await world.execute("update jobs set attempts = :n", n=domain.MAX_ATTEMPTS)
    await world.worker.step()
    assert (await world.job()).outcome == "failed"
    assert world.wire.calls == 0


async def test_an_unforeseen_error_costs_an_attempt_and_is_seen(world: World) -> None:
    world.wire.odd = [ZeroDivisionError()]
    await world.authorize()
    with pytest.raises(ZeroDivisionError):
        await world.worker.step()
    job = await world.job()
    assert (job.attempts, job.lease) == (1, None)
    assert 8 < job.wait_s < 16


async def test_a_sign_in_during_a_fetch_starts_it_anew(world: World) -> None:
    world.give(1)
    world.wire.meanwhile[2] = world.authorize
    await world.authorize()
    await world.worker.step()
    assert not await world.events("athlete.listed")
    await world.worker.step()
    [listed] = await world.events("athlete.listed")
    assert listed["fetch_seq"] == (await world.athlete()).fetch_seq
    assert (await world.job()).outcome == "succeeded"


async def test_a_sign_in_while_access_is_being_lost_wins(world: World) -> None:
    world.give(1)
    world.wire.odd = [httpx.Response(401), httpx.Response(401)]
    world.wire.meanwhile[2] = world.authorize
    await world.authorize()
    await world.worker.step()
    assert (await world.athlete()).status == "authorized"
    await world.worker.step()
    assert (await world.job()).outcome == "succeeded"


async def test_a_sign_in_after_access_was_lost_fetches_again(world: World) -> None:
    world.auth.revoked = True
    await world.authorize()
    await world.worker.step()
    world.auth.revoked = False
    await world.authorize()
    await world.worker.step()
    athlete = await world.athlete()
    assert (athlete.status, athlete.last_error) == ("authorized", None)
    assert athlete.last_synced_at is not None


async def test_sign_ins_at_once_open_one_job(world: World) -> None:
    await asyncio.gather(*(world.authorize() for _ in range(5)))
    assert len(await world.rows("select 1 from jobs")) == 1


async def test_workers_at_once_share_the_jobs(world: World) -> None:
    for number in range(1, 6):
        await world.authorize(UUID(int=number), number)
    done = await asyncio.gather(*(world.worker.step() for _ in range(8)))
    assert sum(done) == 5
    assert len(await world.events("sync.finished")) == 5


async def test_fetches_after_a_restore_are_numbered_above_all_before(world: World) -> None:
    await world.authorize()
    await world.worker.step()
    [before] = await world.events("athlete.listed")
    await world.execute("update athletes set fetch_seq = 0")  # as in a backup
    await world.authorize()
    await world.worker.step()
    after = (await world.events("athlete.listed"))[-1]
    assert after["fetch_seq"] > before["fetch_seq"]


async def test_somebody_who_was_erased_and_joins_again_is_fetched_although_the_former_self_is_not_erased_yet(
    world: World,
) -> None:
    world.give(1)
    former, present = UUID(int=7), UUID(int=8)
    await world.authorize(former)
    for _ in range(3):
        await world.worker.step()
        await world.authorize(former)
    await world.authorize(present)
    while await world.worker.step():
        pass
    last = (await world.events("activity.fetched"))[-1]
    assert last["user_id"] == str(present)
    assert last["fetch_seq"] == max(event["fetch_seq"] for event in await world.events("activity.fetched"))
    assert (await world.athlete()).user_id == present
    await world.authorize(former)  # told late, or once more
    assert (await world.athlete()).user_id == present
