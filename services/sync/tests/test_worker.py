"""The worker, with the simulator as Strava and a real database."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
import structlog
from sync_helpers import ATHLETE, USER, SyncUnderTest

from stravasim.strava.rate_limits import Limits
from sync.budget.rules import PROBE_INTERVAL, new_budget, window_end
from sync.jobs import rules

GONE = httpx.ReadError("the kept-alive connection was closed")


class Endless(httpx.AsyncByteStream):
    """A body that does not end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"[" * 1_000_000


async def test_a_new_athlete_is_fetched_page_by_page_until_both_ends_have_met(service: SyncUnderTest) -> None:
    ids = range(1, 451)
    service.add_activities(*ids)
    await service.authorize()
    assert await service.step()
    assert sorted(activity["id"] for activity in await service.fetched()) == list(ids)
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == list(ids)
    assert listed["after"] is None
    [finished] = await service.events("sync.finished")
    assert (finished["outcome"], finished["activities"], finished["requests_used"]) == ("succeeded", 450, 3)
    assert (await service.job()).outcome == "succeeded"
    assert (await service.athlete()).last_synced_at is not None
    assert not await service.step()


async def test_a_short_page_is_not_the_last_one(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(short_pages=True)
    service.add_activities(*range(1, 401))
    await service.authorize()
    await service.step()
    [listed] = await service.events("athlete.listed")
    assert len(listed["strava_ids"]) == 400


async def test_an_athlete_without_activities_is_listed_as_such(service: SyncUnderTest) -> None:
    await service.authorize()
    await service.step()
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == []


async def test_an_upload_while_paging_is_not_told_twice(service: SyncUnderTest) -> None:
    service.add_activities(*range(1, 301))

    async def upload() -> None:
        service.add_activities(9999, start_date="2026-05-02T00:00:00Z")  # pushes the last of page 1 onto page 2

    service.transport.before[2] = upload
    await service.authorize()
    await service.step()
    told = [activity["id"] for activity in await service.fetched()]
    assert sorted(told) == list(range(1, 301))


async def test_what_we_cannot_name_does_not_stop_the_others(service: SyncUnderTest) -> None:
    page = [{"id": 1, "distance": "far", "sport_type": "\ud800"}, {"name": "no id"}, "what", {"id": 2}]
    service.transport.script = [httpx.Response(200, text=json.dumps(page))]
    await service.authorize()
    await service.step()
    told = {activity["id"]: activity["malformed"] for activity in await service.fetched()}
    assert told == {1: ["sport_type", "distance"], 2: []}


async def test_a_spent_quarter_hour_makes_everyone_wait_for_the_window_at_no_cost(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(limits=Limits(read_quarter=2), athletes=3)
    for number in range(3):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    assert service.strava.rate_limited == 0
    assert not await service.step(), "a refused call would count, too"
    waiting = [job for job in await service.jobs() if job.closed_at is None]
    assert waiting
    for job in waiting:
        assert (job.attempts, job.lease) == (0, None)
    for _ in range(10):
        service.clock.advance(15 * 60)
        await service.run_all()
    assert [job.outcome for job in await service.jobs()] == ["succeeded"] * 3
    assert service.strava.rate_limited == 0


async def test_a_refusal_that_nobody_foresaw_waits_for_the_window_at_no_attempt(service: SyncUnderTest) -> None:
    service.transport.script = [httpx.Response(429)]
    await service.authorize()
    await service.step()
    job = await service.job()
    quarter = new_budget(service.now()).quarter
    assert (job.attempts, job.not_before) == (0, window_end("quarter", quarter))
    assert not await service.step()
    assert service.transport.calls == 1


async def test_a_spent_day_waits_for_midnight_utc(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(limits=Limits(read_day=1))
    await service.authorize()
    await service.step()
    assert (await service.job()).not_before == window_end("day", new_budget(service.now()).day)
    assert service.transport.calls == 1


async def test_an_inactive_application_pauses_everything_loudly_until_it_is_active(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(inactive=True, athletes=2)
    await service.authorize()
    await service.authorize(UUID(int=8), 8)
    with structlog.testing.capture_logs() as lines:
        await service.run_all()
    assert service.transport.calls == 1
    assert [line["log_level"] for line in lines if "inactive" in line["event"]] == ["error"]
    assert {job.attempts for job in await service.jobs()} == {0}
    assert (await service.jobs())[0].closed_at is None
    service.strava.settings = replace(service.strava.settings, inactive=False)
    for _ in range(3):
        service.clock.advance(PROBE_INTERVAL.total_seconds())
        await service.run_all()
    assert [job.outcome for job in await service.jobs()] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    "odd",
    [
        httpx.Response(500),
        httpx.Response(597, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"message": "?"}),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(403, json={"errors": [{"resource": "Athlete", "code": "?"}]}),
        httpx.Response(200, stream=Endless()),
        httpx.ReadTimeout("slow"),
        httpx.DecodingError("broken gzip"),
    ],
)
async def test_trouble_at_strava_backs_off_and_is_over_the_next_time(
    service: SyncUnderTest, odd: httpx.Response | Exception
) -> None:
    service.add_activities(1)
    service.transport.script = [odd]
    await service.authorize()
    await service.step()
    job = await service.job()
    assert (job.attempts, job.lease, job.closed_at) == (1, None, None)
    assert 8 < job.wait_s < 16
    assert not await service.step()
    await service.make_due()
    await service.step()
    assert (await service.job()).outcome == "succeeded"


async def test_a_connection_that_broke_is_tried_again_at_once(service: SyncUnderTest) -> None:
    service.add_activities(1)
    service.transport.script = [GONE, None, httpx.RemoteProtocolError("disconnected")]
    service.auth.script = [GONE]
    await service.authorize()
    await service.step()
    job = await service.job()
    assert (job.outcome, job.requests) == ("succeeded", service.transport.calls) == ("succeeded", 4)


async def test_a_connection_that_keeps_breaking_waits(service: SyncUnderTest) -> None:
    service.transport.script = [GONE] * 2
    await service.authorize()
    await service.step()
    assert 8 < (await service.job()).wait_s < 16


async def test_a_fetch_that_never_works_is_given_up_and_says_so(service: SyncUnderTest) -> None:
    await service.authorize()
    for _ in range(rules.MAX_ATTEMPTS):
        await service.make_due()
        service.transport.script = [httpx.Response(500)]
        assert await service.step()
    assert (await service.job()).outcome == "failed"
    athlete = await service.athlete()
    assert (athlete.status, athlete.last_error) == ("authorized", "unavailable")
    [finished] = await service.events()
    assert (finished["outcome"], finished["error_class"]) == ("failed", "unavailable")


async def test_lost_access_closes_the_job_and_marks_the_athlete(service: SyncUnderTest) -> None:
    service.auth.revoked = True
    await service.authorize()
    await service.step()
    assert (await service.job()).outcome == "failed"
    athlete = await service.athlete()
    assert (athlete.status, athlete.last_error) == ("needs_reconnect", "reauthorization_needed")
    [finished] = await service.events()
    assert finished["error_class"] == "reauthorization_needed"
    assert service.transport.calls == 0


async def test_a_refused_token_is_refreshed_once_before_giving_up(service: SyncUnderTest) -> None:
    service.add_activities(1)
    expired = {"access_token": service.auth.token(lifetime_s=-1), "expires_at": service.now().isoformat()}
    service.auth.script = [httpx.Response(200, json=expired)]
    await service.authorize()
    await service.step()
    assert [url.params["fresh"] for url in service.auth.requested] == ["false", "true"]
    assert (await service.job()).outcome == "succeeded"


async def test_a_token_that_is_refused_twice_means_lost_access(service: SyncUnderTest) -> None:
    service.transport.script = [httpx.Response(401), httpx.Response(401)]
    await service.authorize()
    await service.step()
    assert (await service.athlete()).status == "needs_reconnect"
    assert service.transport.calls == 2


@pytest.mark.parametrize(
    "odd",
    [
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(404, content=b"[" * 100_000),
        httpx.Response(409, text="<html>"),
        httpx.Response(403, json={"code": "forbidden", "message": ""}),
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.ConnectTimeout("slow"),
    ],
)
async def test_trouble_with_auth_is_not_taken_for_lost_access(
    service: SyncUnderTest, odd: httpx.Response | Exception
) -> None:
    service.auth.script = [odd]
    await service.authorize()
    await service.step()
    assert (await service.athlete()).status == "authorized"
    assert (await service.job()).attempts == 1


async def test_no_token_is_in_a_log_or_an_event(
    service: SyncUnderTest, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")  # which a service quietens
    tokens = [service.auth.token() for _ in range(4)]
    service.auth.script = [GONE, *(httpx.Response(200, json={"access_token": token}) for token in tokens)]
    service.transport.script = [GONE, httpx.Response(401), httpx.Response(500)]
    await service.authorize()
    with structlog.testing.capture_logs() as lines:
        await service.step()
        await service.make_due()
        await service.step()
    shown = f"{lines} {caplog.text} {capsys.readouterr()} {await service.events()}"
    assert any(line["event"] == "stamina.retry_scheduled" for line in lines)
    for token in tokens:
        assert token not in shown
    assert str(USER) in shown
