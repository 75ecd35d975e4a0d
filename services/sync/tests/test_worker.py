"""The worker, with the simulator as Strava and a real database."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
import structlog
from sync_rig import USER, World

from stravasim.strava.rate_limits import Limits
from sync import domain

GONE = httpx.ReadError("the kept-alive connection was closed")


async def test_a_new_athlete_is_fetched_page_by_page_until_the_empty_one(world: World) -> None:
    ids = range(1, 451)
    world.give(*ids)
    await world.authorize()
    assert await world.worker.step()
    assert sorted(event["id"] for event in await world.events("activity.fetched")) == list(ids)
    [listed] = await world.events("athlete.listed")
    assert listed["strava_ids"] == list(ids)
    assert listed["after"] is None
    [finished] = await world.events("sync.finished")
    assert (finished["outcome"], finished["activities"], finished["requests_used"]) == ("succeeded", 450, 4)
    assert (await world.job()).outcome == "succeeded"
    assert (await world.athlete()).last_synced_at is not None
    assert not await world.worker.step()


async def test_a_short_page_is_not_the_last_one(make_world: Callable[..., World]) -> None:
    world = make_world(short_pages=True)
    world.give(*range(1, 401))
    await world.authorize()
    await world.worker.step()
    [listed] = await world.events("athlete.listed")
    assert len(listed["strava_ids"]) == 400


async def test_an_athlete_without_activities_is_listed_as_such(world: World) -> None:
    await world.authorize()
    await world.worker.step()
    [listed] = await world.events("athlete.listed")
    assert listed["strava_ids"] == []


async def test_an_upload_while_paging_is_not_told_twice(world: World) -> None:
    world.give(*range(1, 301))

    async def upload() -> None:
        world.give(9999, start_date="2026-05-02T00:00:00Z")  # pushes the last of page 1 onto page 2

    world.wire.meanwhile[2] = upload
    await world.authorize()
    await world.worker.step()
    told = [event["id"] for event in await world.events("activity.fetched")]
    assert sorted(told) == list(range(1, 301))


async def test_what_we_cannot_name_does_not_stop_the_others(world: World) -> None:
    page = [{"id": 1, "distance": "far", "sport_type": "\ud800"}, {"name": "no id"}, "what", {"id": 2}]
    world.wire.odd = [httpx.Response(200, text=json.dumps(page))]
    await world.authorize()
    await world.worker.step()
    told = {event["id"]: event["malformed"] for event in await world.events("activity.fetched")}
    assert told == {1: ["sport_type", "distance"], 2: []}


async def test_a_spent_quarter_hour_makes_everyone_wait_for_the_window_at_no_cost(
    make_world: Callable[..., World],
) -> None:
    world = make_world(limits=Limits(read_quarter=0))
    await world.authorize()
    await world.authorize(UUID(int=8), 8)
    before = datetime.now(UTC)
    assert await world.worker.step()
    for job in await world.rows("select * from jobs"):
        assert domain.next_quarter_reset(before) <= job.not_before <= domain.next_quarter_reset(datetime.now(UTC))
        assert (job.attempts, job.lease, job.closed_at) == (0, None, None)
    assert not await world.worker.step(), "a refused call would count, too"
    assert world.wire.calls == 1
    assert not await world.events()


async def test_a_spent_day_waits_for_midnight_utc(make_world: Callable[..., World]) -> None:
    world = make_world(limits=Limits(read_day=0))
    await world.authorize()
    await world.worker.step()
    assert (await world.job()).not_before == domain.next_daily_reset(datetime.now(UTC))


@pytest.mark.parametrize("figures", ["", ",", "7", "\xb2,\xb2", "1,-1", "9" * 5_000 + ",1", "1," + "9" * 5_000])
async def test_figures_that_are_none_count_as_a_spent_quarter_hour(world: World, figures: str) -> None:
    headers = {"X-ReadRateLimit-Limit": figures.encode("latin-1"), "X-ReadRateLimit-Usage": figures.encode("latin-1")}
    world.wire.odd = [httpx.Response(429, headers=headers)]  # type: ignore[arg-type]
    await world.authorize()
    before = datetime.now(UTC)
    await world.worker.step()
    job = await world.job()
    assert domain.next_quarter_reset(before) <= job.not_before <= domain.next_quarter_reset(datetime.now(UTC))
    assert job.attempts == 0


@pytest.mark.parametrize(
    "odd",
    [
        httpx.Response(500),
        httpx.Response(597, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"message": "?"}),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(403, json={"errors": [{"resource": "Application", "code": "Inactive"}]}),
        httpx.ReadTimeout("slow"),
        httpx.DecodingError("broken gzip"),
    ],
)
async def test_trouble_at_strava_backs_off_and_is_over_the_next_time(
    world: World, odd: httpx.Response | Exception
) -> None:
    world.give(1)
    world.wire.odd = [odd]
    await world.authorize()
    await world.worker.step()
    job = await world.job()
    assert (job.attempts, job.lease, job.closed_at) == (1, None, None)
    assert 8 < job.wait_s < 16
    assert not await world.worker.step()
    await world.due_now()
    await world.worker.step()
    assert (await world.job()).outcome == "succeeded"


async def test_a_connection_that_broke_is_tried_again_at_once(world: World) -> None:
    world.give(1)
    world.wire.odd = [GONE, httpx.RemoteProtocolError("disconnected"), None, GONE]
    world.auth.odd = [GONE]
    await world.authorize()
    await world.worker.step()
    assert (await world.job()).outcome == "succeeded"
    assert world.wire.calls == 5


async def test_a_connection_that_keeps_breaking_waits(world: World) -> None:
    world.wire.odd = [GONE] * 3
    await world.authorize()
    await world.worker.step()
    assert 8 < (await world.job()).wait_s < 16


async def test_a_fetch_that_never_works_is_given_up_and_says_so(world: World) -> None:
    await world.authorize()
    for _ in range(domain.MAX_ATTEMPTS):
        await world.due_now()
        world.wire.odd = [httpx.Response(500)]
        assert await world.worker.step()
    assert (await world.job()).outcome == "failed"
    athlete = await world.athlete()
    assert (athlete.status, athlete.last_error) == ("authorized", "unavailable")
    [finished] = await world.events()
    assert (finished["outcome"], finished["error_class"]) == ("failed", "unavailable")


async def test_lost_access_closes_the_job_and_marks_the_athlete(world: World) -> None:
    world.auth.revoked = True
    await world.authorize()
    await world.worker.step()
    assert (await world.job()).outcome == "failed"
    athlete = await world.athlete()
    assert (athlete.status, athlete.last_error) == ("needs_reconnect", "reauthorization_needed")
    [finished] = await world.events()
    assert finished["error_class"] == "reauthorization_needed"
    assert world.wire.calls == 0


async def test_a_refused_token_is_refreshed_once_before_giving_up(world: World) -> None:
    world.give(1)
    expired = {"access_token": world.auth.token(lifetime_s=-1), "expires_at": datetime.now(UTC).isoformat()}
    world.auth.odd = [httpx.Response(200, json=expired)]
    await world.authorize()
    await world.worker.step()
    assert [url.params["fresh"] for url in world.auth.asked] == ["false", "true"]
    assert (await world.job()).outcome == "succeeded"


async def test_a_token_that_is_refused_twice_means_lost_access(world: World) -> None:
    world.wire.odd = [httpx.Response(401), httpx.Response(401)]
    await world.authorize()
    await world.worker.step()
    assert (await world.athlete()).status == "needs_reconnect"
    assert world.wire.calls == 2


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
async def test_trouble_with_auth_is_not_taken_for_lost_access(world: World, odd: httpx.Response | Exception) -> None:
    world.auth.odd = [odd]
    await world.authorize()
    await world.worker.step()
    assert (await world.athlete()).status == "authorized"
    assert (await world.job()).attempts == 1


async def test_no_token_is_in_a_log_or_an_event(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [world.auth.token() for _ in range(4)]
    world.auth.odd = [GONE, *(httpx.Response(200, json={"access_token": token}) for token in tokens)]
    world.wire.odd = [GONE, httpx.Response(401), httpx.Response(500)]
    await world.authorize()
    with structlog.testing.capture_logs() as lines:
        await world.worker.step()
        await world.due_now()
        await world.worker.step()
    shown = f"{lines} {caplog.text} {capsys.readouterr()} {await world.events()}"
    assert any(line["event"] == "stamina.retry_scheduled" for line in lines)
    for token in tokens:
        assert token not in shown
    assert str(USER) in shown
