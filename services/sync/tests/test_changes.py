"""What webhooks tell is found out with the fewest calls."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sync_helpers import ATHLETE, USER, SyncUnderTest

from shared.contracts.events import FetchWindowChanged, SyncRequested
from stravasim.fault_injection import FaultKind, FaultRule
from sync.fetching.rules import changes as rules
from sync.fetching.rules.changes import Change, Plan, is_given_up, left_after_listing, may_become_readable, plan_calls
from sync.jobs.rules import WEBHOOK_WAIT, next_webhook_run_at
from testkit.databases import execute, fetch_rows

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRESH = NOW - timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)


def change(strava_id: int = 1, **fields: Any) -> Change:
    usual: dict[str, Any] = {
        "is_created": True,
        "is_deleted": False,
        "told_at": NOW - timedelta(minutes=2),
        "tries": 0,
        "last_event_id": 1,
    }
    return Change(strava_id, **{**usual, **fields})


def by_id(*changes: Change) -> dict[int, Change]:
    return {one.strava_id: one for one in changes}


@pytest.mark.parametrize(
    ("pending", "last_listed_at", "plan"),
    [
        ((), FRESH, Plan(lists=False, details=())),
        ((change(1),), FRESH, Plan(lists=False, details=(1,))),
        ((change(1),), NOW - timedelta(hours=21), Plan(lists=True, details=())),
        ((change(1),), None, Plan(lists=True, details=())),
        ((change(1), change(2)), FRESH, Plan(lists=True, details=())),
        ((change(1, tries=1),), None, Plan(lists=False, details=(1,))),
        ((change(1, tries=1), change(2, tries=2)), FRESH, Plan(lists=False, details=(1, 2))),
        ((change(1, tries=1), change(2)), FRESH, Plan(lists=True, details=())),
        (tuple(change(n, tries=1) for n in range(9)), FRESH, Plan(lists=True, details=())),
    ],
)
def test_one_change_is_one_detail_and_several_are_one_listing(
    pending: tuple[Change, ...], last_listed_at: datetime | None, plan: Plan
) -> None:
    assert plan_calls(by_id(*pending), last_listed_at, NOW) == plan


def test_what_a_listing_does_not_show_is_gone_only_if_strava_said_so_and_the_listing_is_complete() -> None:
    pending = by_id(change(1), change(2), change(3, is_deleted=True))
    assert left_after_listing(pending, {1}, is_complete=True) == ([3], [2])
    assert left_after_listing(pending, {1}, is_complete=False) == ([], [2, 3])
    assert left_after_listing(pending, {1, 2, 3}, is_complete=True) == ([], [])
    many = by_id(*(change(n) for n in range(50)))
    assert left_after_listing(many, set(), is_complete=True) == ([], list(range(rules.MAX_DETAILS)))


@pytest.mark.parametrize(
    ("told", "is_waited_for"),
    [
        (change(), True),
        (change(told_at=NOW - rules.READABLE_WITHIN), False),
        (change(is_deleted=True), False),
        (change(is_created=False), False),
    ],
)
def test_what_was_just_created_may_not_be_readable_yet(told: Change, is_waited_for: bool) -> None:
    assert may_become_readable(told, NOW) is is_waited_for


def test_an_activity_that_strava_fails_on_is_given_up_in_the_end() -> None:
    assert [is_given_up(change(tries=tries)) for tries in range(6)] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("last_fetched_s", "due_s"),
    [(None, 90), (-10_000, 90), (-541, 90), (-450, 90), (-100, 440), (0, 540)],
)
def test_changes_are_looked_at_within_ten_minutes_and_those_that_come_soon_together(
    last_fetched_s: int | None, due_s: int
) -> None:
    last = None if last_fetched_s is None else NOW + timedelta(seconds=last_fetched_s)
    assert next_webhook_run_at(NOW, last, TEN_MINUTES) == NOW + timedelta(seconds=due_s)
    assert next_webhook_run_at(NOW, None, timedelta(seconds=20)) == NOW + timedelta(seconds=3)


async def joined(service: SyncUnderTest, *ids: int) -> None:
    """The athlete has joined and was listed; nothing is left to do."""
    service.add_activities(*ids)
    await service.authorize()
    await service.run_all()
    service.transport.request_bodies.clear()
    await execute(service.database, "delete from outbox")
    service.clock.advance(700)


async def wait_and_run(service: SyncUnderTest, seconds: float = WEBHOOK_WAIT.total_seconds()) -> None:
    service.clock.advance(seconds)
    await service.run_all()


def paths(service: SyncUnderTest) -> list[str]:
    """What was asked of Strava, the last first."""
    return [record.path.removeprefix("/api/v3") for record in reversed(service.strava.request_log)]


async def test_a_new_activity_costs_one_call(service: SyncUnderTest) -> None:
    await joined(service, 1, 2)
    service.add_activities(3)
    assert await service.receive("create", 3) == "stored"
    assert not await service.step(), "Strava is given a moment"
    await wait_and_run(service)
    assert [activity["id"] for activity in await service.fetched()] == [3]
    assert (service.transport.calls, paths(service)[0]) == (1, "/activities/3")
    [finished] = await service.events("sync.finished")
    assert (finished["reason"], finished["requests_used"], finished["activities"]) == ("webhook", 1, 1)


async def test_several_changes_cost_one_call(service: SyncUnderTest) -> None:
    await joined(service, *range(1, 21), 1000)
    await execute(service.database, "insert into fetch_window values (1, '2026-04-30T23:45:00Z', now())")
    service.add_activities(21, 22)
    for strava_id in (21, 22, 3):
        await service.receive("create", strava_id)
    service.strava.dataset.delete_activity(ATHLETE, 5)
    await service.receive("delete", 5)
    await wait_and_run(service)
    assert (service.transport.calls, paths(service)[0]) == (1, "/athlete/activities")
    assert {3, 21, 22} <= {activity["id"] for activity in await service.fetched()}
    assert [event["strava_id"] for event in await service.events("activity.vanished")] == [5]
    [listed] = await service.events("athlete.listed")
    assert 5 not in listed["strava_ids"]
    assert not await fetch_rows(service.database, "select 1 from webhook_events where handled_at is null")


async def test_a_change_of_an_athlete_who_is_due_for_a_listing_is_found_by_it_at_the_same_cost(
    service: SyncUnderTest,
) -> None:
    await joined(service, 1, 2)
    await execute(service.database, "insert into fetch_window values (1, '2026-04-30T23:59:30Z', now())")
    service.clock.advance(86_400)
    service.add_activities(3)
    service.strava.dataset.delete_activity(ATHLETE, 1)  # of which Strava told nothing
    await service.receive("create", 3)
    await wait_and_run(service)
    assert service.transport.calls == 1
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == [3]
    assert (await service.athlete()).last_synced_at == service.now()


@pytest.mark.parametrize(("aspect", "reason"), [("delete", "deleted"), ("update", "not_found")])
async def test_what_strava_does_not_show_any_more_has_vanished(
    service: SyncUnderTest, aspect: str, reason: str
) -> None:
    await joined(service, 1, 2)
    service.strava.dataset.delete_activity(ATHLETE, 2)
    await service.receive(aspect, 2)
    await wait_and_run(service)
    assert service.transport.calls == 1
    [vanished] = await service.events("activity.vanished")
    assert (vanished["strava_id"], vanished["reason"]) == (2, reason)
    assert vanished["fetch_seq"] == (await service.athlete()).fetch_seq


async def test_a_deletion_that_is_pretended_deletes_nothing(service: SyncUnderTest) -> None:
    await joined(service, 1, 2)
    await service.receive("delete", 2)
    await wait_and_run(service)
    assert not await service.events("activity.vanished")
    assert [activity["id"] for activity in await service.fetched()] == [2]


async def test_an_activity_that_cannot_be_read_yet_is_looked_for_until_it_can(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(detail_lag_s=300.0, list_lag_s=300.0)
    await joined(service, 1)
    service.strava.add_activity(ATHLETE, {"id": 2, "sport_type": "Run", "start_date": "2026-05-02T06:00:00Z"})
    await service.receive("create", 2)
    await wait_and_run(service)
    assert not await service.fetched()
    for _ in range(8):
        await wait_and_run(service, 60)
    assert [activity["id"] for activity in await service.fetched()] == [2]
    assert service.transport.calls == 4
    assert not await service.events("activity.vanished")
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_an_activity_that_never_becomes_readable_has_vanished_after_an_hour(service: SyncUnderTest) -> None:
    await joined(service, 1)
    await service.receive("create", 2)
    for _ in range(30):
        await wait_and_run(service, 300)
    assert [event["strava_id"] for event in await service.events("activity.vanished")] == [2]
    assert service.transport.calls <= 8
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_an_activity_that_strava_fails_on_for_days_blocks_no_other(service: SyncUnderTest) -> None:
    await joined(service, 1, 2, 3)
    service.strava.faults.add(FaultRule(FaultKind.ERROR_500, path="/activities/500"))
    await execute(service.database, "update athletes set last_synced_at = :now", now=service.now())
    for strava_id in (500, 501):  # neither is in a listing
        await service.receive("create", strava_id)
    for _ in range(40):
        await wait_and_run(service, 300)
    assert [event["strava_id"] for event in await service.events("activity.vanished")] == [501]
    assert not await fetch_rows(service.database, "select 1 from webhook_events where handled_at is null")
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_while_strava_is_down_no_change_is_given_up(service: SyncUnderTest) -> None:
    await joined(service, 1)
    service.add_activities(2)
    outage = service.strava.faults.add(FaultRule(FaultKind.HTML_503))
    await service.receive("create", 2)
    for _ in range(12):
        await wait_and_run(service, 600)
    assert not await service.fetched()
    service.strava.faults.remove(outage)
    for _ in range(8):
        await wait_and_run(service, 1_200)
    assert [activity["id"] for activity in await service.fetched()] == [2]


async def test_a_late_upload_from_before_the_challenge_is_not_published(service: SyncUnderTest) -> None:
    await joined(service, 1)
    await execute(service.database, "insert into fetch_window values (1, '2026-04-30T23:00:00Z', now())")
    service.add_activities(2, start_date="2026-04-29T06:00:00Z")
    await service.receive("create", 2)
    await wait_and_run(service)
    assert not await service.fetched()
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_what_is_told_while_it_is_being_looked_at_is_looked_at_once_more(service: SyncUnderTest) -> None:
    await joined(service, 1)
    service.add_activities(2, 3)

    async def tell() -> None:
        await service.receive("create", 3)

    service.transport.before[1] = tell
    await service.receive("create", 2)
    await wait_and_run(service)
    assert [activity["id"] for activity in await service.fetched()] == [2]
    await wait_and_run(service, 540)
    assert [activity["id"] for activity in await service.fetched()] == [2, 3]
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_what_is_told_of_an_activity_while_a_listing_shows_it_is_looked_at_once_more(
    service: SyncUnderTest,
) -> None:
    service.add_activities(1)
    await service.authorize()

    async def edit() -> None:
        service.strava.update_activity(ATHLETE, 1, {"sport_type": "Ride"})
        await service.receive("update", 1, updates={"type": "Ride"})

    service.transport.before[2] = edit
    await service.run_all()
    await wait_and_run(service, 600)
    assert [activity["sport_type"] for activity in await service.fetched()] == ["Run", "Ride"]


async def test_what_is_told_once_more_while_a_listing_is_made_is_looked_at_once_more(
    service: SyncUnderTest,
) -> None:
    await joined(service, 1, 2)
    service.add_activities(3)
    await service.receive("create", 3)
    await execute(service.database, "update athletes set last_synced_at = last_synced_at - interval '2 days'")

    async def edit() -> None:
        service.clock.advance(1)
        service.strava.update_activity(ATHLETE, 3, {"sport_type": "Ride"})
        await service.receive("update", 3, updates={"type": "Ride"})

    service.transport.before[2] = edit
    await service.sign_in_again()
    await service.run_all()
    await wait_and_run(service, 600)
    told = [activity["sport_type"] for activity in await service.fetched() if activity["id"] == 3]
    assert told[-1] == "Ride"


@pytest.mark.parametrize("status", [403, 404])
async def test_an_activity_that_is_refused_has_vanished(service: SyncUnderTest, status: int) -> None:
    await joined(service, 1, 2)
    service.transport.script = [
        httpx.Response(status, json={"errors": [{"resource": "Activity", "code": "private"}]})
    ]
    await service.receive("update", 2, updates={"private": "true"})
    await wait_and_run(service)
    assert [event["strava_id"] for event in await service.events("activity.vanished")] == [2]


async def test_when_earlier_activities_are_needed_everybody_is_listed_again(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(athletes=3)
    may, april = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)

    async def move(since: datetime | None, minute: int) -> None:
        service.clock.advance(1)
        await service.hear(FetchWindowChanged(since=since, changed_at=NOW + timedelta(minutes=minute)))

    await move(may, 1)
    for number in range(3):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    await move(may, 2)
    assert len(await service.jobs()) == 3
    await move(april, 3)
    opened = [job for job in await service.jobs() if job.closed_at is None]
    assert [job.kind for job in opened] == ["nightly"] * 3
    await service.run_all()
    [row] = await fetch_rows(service.database, "select distinct listed_since from athletes")
    assert row.listed_since == april
    await move(may, 2)  # told late
    [window] = await fetch_rows(service.database, "select * from fetch_window")
    assert window.since == april
    await move(None, 5)
    assert not [job for job in await service.jobs() if job.closed_at is None]
    [window] = await fetch_rows(service.database, "select * from fetch_window")
    assert window.since is None


async def test_a_participant_may_have_their_activities_fetched_now_and_then(service: SyncUnderTest) -> None:
    async def request(reason: str, user: UUID | None = USER) -> int:
        before = len(await service.jobs())
        await service.hear(
            SyncRequested.model_validate(
                {"user_id": user, "reason": reason, "requested_by": "x", "requested_at": service.now()}
            )
        )
        await service.run_all()
        return len(await service.jobs()) - before

    await service.authorize()
    await service.run_all()
    assert await request("participant") == 0, "it was just done"
    assert await request("organiser") == 1
    service.clock.advance(299)
    assert await request("participant") == 0
    service.clock.advance(1)
    assert await request("participant") == 1
    assert await request("organiser", None) == 1, "everybody"
    assert await request("organiser", UUID(int=99)) == 0, "nobody"


async def test_a_listing_answers_what_was_told_before_it(service: SyncUnderTest) -> None:
    await joined(service, 1)
    service.add_activities(2)
    await service.receive("create", 2)
    await execute(service.database, "update athletes set last_synced_at = last_synced_at - interval '2 days'")
    await service.sign_in_again()
    await service.run_all()
    calls = service.transport.calls
    await wait_and_run(service, 600)
    assert service.transport.calls == calls, "there was nothing left to ask"
    assert {job.outcome for job in await service.jobs()} == {"succeeded"}


async def test_a_listing_does_for_every_job_that_wants_one(service: SyncUnderTest) -> None:
    await service.authorize()
    for kind in ("manual", "nightly"):
        await execute(
            service.database,
            """insert into jobs (user_id, kind, priority, not_before, opened_at)
               values (:user, :kind, 90, cast(:now as timestamptz) + interval '1 hour', :now)""",
            user=USER,
            kind=kind,
            now=service.now(),
        )
    await service.step()
    assert [job.outcome for job in await service.jobs()] == ["succeeded"] * 3
    finished = await service.events("sync.finished")
    assert {event["reason"]: event["requests_used"] for event in finished} == {"join": 2, "manual": 0, "nightly": 0}


async def test_a_listing_does_not_for_who_asked_while_it_was_made(service: SyncUnderTest) -> None:
    async def ask() -> None:
        service.clock.advance(1)
        await service.hear(
            SyncRequested(user_id=USER, reason="organiser", requested_by="x", requested_at=service.now())
        )

    service.transport.before[2] = ask
    await service.authorize()
    await service.step()
    assert [(job.kind, job.outcome) for job in await service.jobs()] == [("join", "succeeded"), ("manual", None)]


async def test_only_activities_that_a_challenge_needs_are_published(service: SyncUnderTest) -> None:
    service.add_activities(*range(1, 31))
    await execute(service.database, "insert into fetch_window values (1, '2026-04-30T23:50:00Z', now())")
    await service.authorize()
    await service.step()
    assert sorted(activity["id"] for activity in await service.fetched()) == list(range(1, 12))
    [listed] = await service.events("athlete.listed")
    assert listed["strava_ids"] == list(range(1, 12))
    assert datetime.fromisoformat(listed["after"]) == datetime(2026, 4, 30, 23, 50, tzinfo=UTC)
    assert service.transport.calls == 1


async def test_nothing_is_published_while_no_challenge_needs_anything(service: SyncUnderTest) -> None:
    service.add_activities(1, 2)
    await execute(service.database, "insert into fetch_window values (1, null, now())")
    await service.authorize()
    await service.step()
    assert not await service.fetched()
    assert service.transport.calls == 1


async def test_hundreds_of_changes_at_once_are_one_job_of_each_athlete(
    make_service: Callable[..., SyncUnderTest],
) -> None:
    service = make_service(athletes=3)
    for number in range(3):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    service.clock.advance(3600)
    calls = service.transport.calls
    for strava_id in range(1, 101):
        service.strava.dataset.add_activity(ATHLETE, {"id": strava_id, "start_date": "2026-05-01T06:00:00Z"})
        await service.receive("create", strava_id)
    open_jobs = [job for job in await service.jobs() if job.closed_at is None]
    assert [job.kind for job in open_jobs] == ["webhook"]
    await wait_and_run(service)
    assert service.transport.calls == calls + 1
    assert len(await service.fetched()) == 100
