"""A listing that is interrupted goes on where it was, and what it says in the end is right."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from sync_helpers import ATHLETE, SyncUnderTest

from shared.contracts.events import JobReleased
from stravasim.strava.rate_limits import Limits
from sync.fetching import worker as worker_module
from sync.fetching.worker import Worker
from sync.jobs.dispatcher import dispatch
from testkit.databases import execute
from testkit.waiting import wait_until


class Killed(BaseException):
    """The process ends at once: nothing of it runs any more."""


async def kill_before_call(service: SyncUnderTest, call: int) -> None:
    """Run the job, and end the worker as a kill would before that call reaches Strava."""

    async def die() -> None:
        raise Killed

    service.transport.before[call] = die
    with pytest.raises(Killed):
        await service.step()


def queries(service: SyncUnderTest) -> list[str]:
    return [record.query for record in service.strava.request_log]


@pytest.mark.parametrize("call", [2, 3, 4])
async def test_another_worker_goes_on_at_the_page_after_a_crash(
    make_service: Callable[..., SyncUnderTest], call: int
) -> None:
    service = make_service(per_page=50)
    service.add_activities(*range(1, 181))
    await service.authorize()
    await kill_before_call(service, call)
    published = len(await service.fetched())
    assert published > 0
    assert not await service.events("athlete.listed")
    service.clock.advance(121)
    await service.run_all()
    assert len({*queries(service)}) == len(queries(service)), "no page was asked for twice"
    assert sorted(activity["id"] for activity in await service.fetched()) == list(range(1, 181))
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == list(range(1, 181))
    first = min(event["fetch_seq"] for event in await service.events("activity.fetched"))
    assert listed["fetch_seq"] == first, "what was fetched since then is not judged by it"
    [finished] = await service.events("sync.finished")
    assert finished["activities"] == 180


async def test_what_another_job_fetches_between_a_crash_and_the_end_is_not_called_gone(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(per_page=50)
    service.add_activities(*range(1, 181))
    await service.authorize()
    await kill_before_call(service, 3)
    service.add_activities(999, start_date="2026-05-02T06:00:00Z")  # above the pages that were read
    await service.receive("create", 999)
    await execute(service.database, "update athletes set last_synced_at = :now", now=service.now())
    service.clock.advance(121)
    await service.run_all()
    service.clock.advance(600)
    await service.run_all()
    [listed] = [event for event in await service.events("athlete.listed") if 999 not in event["strava_ids"]]
    [fetched] = [activity for activity in await service.fetched() if activity["id"] == 999]
    assert fetched["fetch_seq"] > listed["fetch_seq"]


async def test_a_listing_that_runs_out_of_calls_goes_on_in_the_next_window(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(per_page=20, limits=Limits(read_quarter=3))
    service.add_activities(*range(1, 181))
    await service.authorize()
    for _ in range(12):
        await service.run_all()
        service.clock.advance(900)
    assert [job.outcome for job in await service.jobs()] == ["succeeded"]
    assert service.strava.rate_limited == 0
    assert len({*queries(service)}) == len(queries(service)) >= 9
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == list(range(1, 181))


async def test_a_worker_that_is_asked_to_stop_ends_between_two_pages(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(per_page=50)
    service.add_activities(*range(1, 181))
    await service.authorize()
    await dispatch(service.database, service.now())
    [job_id] = await service.released()

    async def stop() -> None:
        service.worker.stop()

    service.transport.before[2] = stop
    await service.worker.run_released(JobReleased(job_id=job_id, kind="join", released_at=service.now()))
    job = await service.job()
    assert (job.attempts, job.lease, job.requests, job.closed_at) == (0, None, 2, None)
    service.worker = Worker(service.context)
    await service.run_all()
    assert len({*queries(service)}) == len(queries(service))
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == list(range(1, 181))


async def test_a_call_that_hangs_does_not_keep_a_worker_from_stopping(
    service: SyncUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.05)
    hanging = asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await asyncio.Event().wait()

    service.transport.before[1] = hang
    await service.authorize()
    await dispatch(service.database, service.now())
    [job_id] = await service.released()
    running = asyncio.create_task(
        service.worker.run_released(JobReleased(job_id=job_id, kind="join", released_at=service.now()))
    )
    await wait_until(hanging.is_set, "the call is under way")
    service.worker.stop()
    await asyncio.wait_for(running, 5)
    job = await service.job()
    assert (job.attempts, job.lease, job.closed_at) == (0, None, None)
    service.worker = Worker(service.context)
    await service.run_all()
    assert (await service.job()).outcome == "succeeded"


async def test_while_a_listing_is_made_deletions_lose_nothing(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(per_page=50)
    ids = list(range(1, 201))
    service.add_activities(*ids)

    async def delete_some() -> None:
        for strava_id in (3, 10, 20):
            service.strava.dataset.delete_activity(ATHLETE, strava_id)

    service.transport.before[2] = delete_some
    await service.authorize()
    await service.run_all()
    [listed] = await service.events("athlete.listed")
    assert set(listed["strava_ids"]) >= set(ids) - {3, 10, 20}


@pytest.mark.parametrize("hide_after_paging", [False, True])
async def test_who_hides_much_is_listed_completely(
    make_service: Callable[..., SyncUnderTest], hide_after_paging: bool
) -> None:
    service = make_service(per_page=20, hide_after_paging=hide_after_paging)
    service.auth.scopes = frozenset({"read", "activity:read"})
    service.add_activities(*range(1, 61), visibility="only_me")
    service.strava.dataset.add_activity(ATHLETE, {"id": 900, "start_date": "2026-06-01T06:00:00Z"})
    service.strava.dataset.add_activity(ATHLETE, {"id": 901, "start_date": "2026-04-01T06:00:00Z"})
    await service.authorize()
    await service.run_all()
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == [900, 901]


async def test_a_listing_that_cannot_be_called_complete_says_nothing_of_what_is_gone(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(per_page=5)
    service.add_activities(*range(1, 31), start_date="2026-05-01T06:00:00Z")
    await service.authorize()
    await service.receive("delete", 999)
    await service.run_all()
    assert not await service.events("athlete.listed")
    assert not await service.events("activity.vanished")
    assert (await service.athlete()).last_synced_at is None
    [finished] = await service.events("sync.finished")
    assert finished["outcome"] == "succeeded"


async def test_a_failure_in_the_middle_costs_only_its_own_call(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(per_page=50)
    service.add_activities(*range(1, 181))
    service.transport.script = [None, httpx.Response(500)]
    await service.authorize()
    await service.step()
    await service.make_due()
    await service.run_all()
    assert len({*queries(service)}) == len(queries(service))
    assert (await service.job()).outcome == "succeeded"
