"""The nightly run: once a local date, whatever the clocks do, and for whom it is time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync_helpers import ATHLETE, SyncUnderTest

from stravasim.strava.rate_limits import Limits
from sync.nightly.rules import UNWATCHED_AGE, due_date, listed_before, most_listings
from sync.nightly.use_cases import run_if_due
from testkit.databases import execute, fetch_rows

WARSAW = ZoneInfo("Europe/Warsaw")
NIGHT = datetime(2026, 5, 1, 22, 5, tzinfo=UTC)  # 00:05 on the 2nd in Warsaw


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-01T22:04:59", "2026-05-01"),
        ("2026-05-01T22:05:00", "2026-05-02"),
        ("2026-12-31T23:04:59", "2026-12-31"),
        ("2026-12-31T23:05:00", "2027-01-01"),
        ("2026-03-28T23:05:00", "2026-03-29"),  # the night in which summer time begins
        ("2026-03-29T22:04:59", "2026-03-29"),
        ("2026-03-29T22:05:00", "2026-03-30"),
        ("2026-10-24T22:05:00", "2026-10-25"),  # the night in which it ends
        ("2026-10-25T23:04:59", "2026-10-25"),
        ("2026-10-25T23:05:00", "2026-10-26"),
    ],
)
def test_a_night_begins_at_five_past_midnight_by_the_local_clock(now: str, expected: str) -> None:
    assert due_date(datetime.fromisoformat(f"{now}+00:00"), WARSAW) == date.fromisoformat(expected)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2036, 1, 1)), st.sampled_from(["Europe/Warsaw", "UTC"]))  # noqa: DTZ001
def test_every_local_date_has_one_night(moment: datetime, zone: str) -> None:
    now = moment.replace(tzinfo=UTC)
    ticks = [now + timedelta(minutes=15) * number for number in range(4 * 24 * 3)]
    dates = [due_date(tick, ZoneInfo(zone)) for tick in ticks]
    assert dates == sorted(dates)
    assert {later - earlier for earlier, later in pairwise(dates)} <= {
        timedelta(0),
        timedelta(days=1),
    }


def test_who_is_listed_depends_on_whether_webhooks_tell_of_changes() -> None:
    week_ago, gap = NIGHT - timedelta(days=7), NIGHT - timedelta(days=2)
    assert listed_before(NIGHT, gap, 7, webhooks_healthy=False) == NIGHT - UNWATCHED_AGE
    assert listed_before(NIGHT, None, 7, webhooks_healthy=True) == NIGHT - UNWATCHED_AGE
    assert listed_before(NIGHT, gap, 7, webhooks_healthy=True) == gap
    assert listed_before(NIGHT, NIGHT - timedelta(days=30), 7, webhooks_healthy=True) == week_ago


@pytest.mark.parametrize(
    ("athletes", "rotates", "most"),
    [(300, False, 500), (300, True, 86), (10_000, True, 500), (10_000, False, 500), (1, True, 1), (0, True, 0)],
)
def test_a_night_lists_no_more_than_there_are_calls_for_and_in_rotation_not_all_at_once(
    athletes: int, rotates: bool, most: int
) -> None:
    assert most_listings(athletes, 1_000, 0.5, 7, rotates=rotates) == most


async def begin(service: SyncUnderTest, relist_days: int = 7) -> None:
    await run_if_due(service.database, service.now, WARSAW, relist_days)


async def runs(service: SyncUnderTest) -> list[Any]:
    return await fetch_rows(service.database, "select * from nightly_runs order by local_date")


async def nightly_users(service: SyncUnderTest) -> list[int]:
    rows = await fetch_rows(
        service.database, "select user_id from jobs where kind = 'nightly' and closed_at is null order by id"
    )
    return [row.user_id.int for row in rows]


async def club(make_service: Callable[..., SyncUnderTest], athletes: int, **settings: Any) -> SyncUnderTest:
    """Athletes who have joined, and were listed at the beginning of the day before the night."""
    service = make_service(athletes=athletes, **settings)
    service.clock.moment = NIGHT - timedelta(hours=20)
    for number in range(athletes):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    await execute(service.database, "delete from outbox")
    service.clock.moment = NIGHT
    return service


async def hear_webhooks(service: SyncUnderTest, since: datetime) -> None:
    await execute(
        service.database,
        """insert into strava_application (id, subscription_id, gap_ended_at) values (1, 1, :since)
           on conflict (id) do update set subscription_id = 1, gap_ended_at = :since""",
        since=since,
    )


async def test_two_processes_begin_a_night_once(make_service: Callable[..., SyncUnderTest]) -> None:
    service = await club(make_service, 3)
    await asyncio.gather(*(begin(service) for _ in range(6)))
    await begin(service)
    assert [(run.local_date, run.athletes) for run in await runs(service)] == [(date(2026, 5, 2), 3)]
    assert len(await nightly_users(service)) == 3


async def test_a_night_that_was_missed_is_made_up_for_once(make_service: Callable[..., SyncUnderTest]) -> None:
    service = await club(make_service, 2)
    await begin(service)
    service.clock.moment = NIGHT + timedelta(days=3, hours=9)  # it was down for days, until the morning
    await begin(service)
    await begin(service)
    assert [run.local_date.day for run in await runs(service)] == [2, 5]
    service.clock.moment = NIGHT + timedelta(days=1)  # a clock that goes back begins no older night
    await begin(service)
    assert [run.local_date.day for run in await runs(service)] == [2, 5]


async def test_nights_over_both_changes_of_the_clock_and_the_year_begin_once_each(service: SyncUnderTest) -> None:
    for first in (date(2026, 3, 27), date(2026, 10, 23), date(2026, 12, 30)):
        service.clock.moment = datetime(first.year, first.month, first.day, tzinfo=UTC)
        for _ in range(4 * 24 * 4):
            await begin(service)
            service.clock.advance(900)
    begun = [run.local_date for run in await runs(service)]
    assert len(begun) == len(set(begun)) == 15
    for run in await runs(service):
        local = run.started_at.astimezone(WARSAW)
        assert (local.date(), local.hour) == (run.local_date, 0) or run.local_date in (
            date(2026, 3, 27),
            date(2026, 10, 23),
            date(2026, 12, 30),
        )


async def test_those_come_first_who_were_listed_the_longest_ago(make_service: Callable[..., SyncUnderTest]) -> None:
    service = await club(make_service, 4)
    for user, hours in ((7, 30), (8, 90), (9, 60), (10, 1)):
        await execute(
            service.database,
            "update athletes set last_synced_at = cast(:now as timestamptz) - make_interval(hours => :hours)"
            " where user_id = :user",
            now=NIGHT,
            hours=hours,
            user=UUID(int=user),
        )
    await begin(service)
    assert await nightly_users(service) == [8, 9, 7]
    await service.run_all()
    finished = [UUID(event["user_id"]).int for event in await service.events("sync.finished")]
    assert finished == [8, 9, 7]
    [run] = await runs(service)
    assert run.finished_at is None
    await begin(service)
    assert (await runs(service))[0].finished_at == service.now()


async def test_while_webhooks_tell_of_changes_athletes_are_listed_in_rotation(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = await club(make_service, 14)
    await hear_webhooks(service, NIGHT - timedelta(days=60))
    listed: list[int] = []
    for _ in range(14):
        await begin(service)
        tonight = await nightly_users(service)
        assert len(tonight) <= 4
        listed += tonight
        await service.run_all()
        service.clock.advance(86_400)
    assert sorted(listed) == list(range(7, 21)), "everybody once in two weeks, nobody twice"
    oldest = await fetch_rows(service.database, "select min(last_synced_at) as at from athletes")
    assert service.now() - oldest[0].at < timedelta(days=11)


async def test_after_a_gap_everybody_is_listed_whom_webhooks_may_have_missed(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = await club(make_service, 6)
    await hear_webhooks(service, NIGHT - timedelta(hours=3))
    await begin(service)
    assert len(await nightly_users(service)) == 6
    await service.run_all()
    service.clock.advance(86_400)
    await begin(service)
    assert await nightly_users(service) == []


async def test_what_failed_is_tried_again_the_next_night(make_service: Callable[..., SyncUnderTest]) -> None:
    service = await club(make_service, 2)
    await hear_webhooks(service, NIGHT - timedelta(days=60))
    await execute(
        service.database, "update athletes set last_error = 'unavailable' where user_id = :user", user=UUID(int=8)
    )
    await begin(service)
    assert await nightly_users(service) == [8]
    await service.run_all()
    assert [row.last_error for row in await fetch_rows(service.database, "select last_error from athletes")] == [
        None
    ] * 2


async def test_who_may_not_be_fetched_is_not(make_service: Callable[..., SyncUnderTest]) -> None:
    service = await club(make_service, 3)
    await execute(
        service.database, "update athletes set status = 'needs_reconnect' where user_id = :user", user=UUID(int=8)
    )
    await begin(service)
    assert await nightly_users(service) == [7, 9]


async def test_a_night_leaves_calls_to_whoever_comes_during_the_day(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = await club(make_service, 40)
    service.strava.settings = replace(service.strava.settings, limits=Limits(read_quarter=20, read_day=100))
    service.clock.moment = datetime(2026, 5, 2, 0, 5, tzinfo=UTC)
    await begin(service)
    await service.run_all()
    assert 6 <= service.strava.usage.read_quarter <= 14, "half of a quarter hour's calls, more or less"
    service.add_activities(500)
    await service.receive("create", 500)
    service.clock.advance(590)
    await service.step()
    assert [event["reason"] for event in await service.events("sync.finished")][-1] == "webhook"
    for _ in range(24 * 4):
        service.clock.advance(900)
        await service.run_all()
    assert service.strava.rate_limited == 0
    assert not await nightly_users(service)
