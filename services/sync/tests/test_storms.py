"""Storms: Strava fails, webhooks get lost, workers die, dispatchers race, and clocks are changed.

After the storm, what was published is what Strava shows.
"""

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from sync_helpers import ATHLETE, SyncUnderTest

from stravasim.strava.rate_limits import Limits
from sync.fetching.worker import Worker
from sync.jobs.dispatcher import dispatch
from sync.nightly.use_cases import run_if_due
from testkit.databases import execute, fetch_rows

WARSAW = ZoneInfo("Europe/Warsaw")
ATHLETES = 4
STEPS = 50
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FAULTS: list[httpx.Response | Exception] = [
    httpx.Response(500),
    httpx.Response(503, text="<html>"),
    httpx.Response(597),
    httpx.Response(200, text='[{"id": 1'),
    httpx.Response(200, json={"message": "?"}),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("broken"),
    httpx.Response(401),
]


class Killed(BaseException):
    """A worker ends at once, as by SIGKILL."""


@dataclass
class Published:
    """What whoever hears the events has of one user: the newest fetch of an activity decides."""

    activities: dict[int, dict[str, Any]]
    fetch_seqs: dict[int, int]


class Storm:
    """Random trouble for a service, by a seed."""

    def __init__(self, service: SyncUnderTest, seed: int) -> None:
        self.service = service
        self.random = random.Random(seed)
        self.next_id = 10_000
        self.killed = 0
        self.faults = 0
        transport = service.transport
        strava = transport.inner.handle_async_request

        async def handle(request: httpx.Request) -> httpx.Response:
            draw = self.random.random()
            if draw < self.kill_share:
                self.killed += 1
                raise Killed
            if draw < self.kill_share + self.fault_share:
                self.faults += 1
                fault = self.random.choice(FAULTS)
                if isinstance(fault, Exception):
                    raise fault
                return httpx.Response(fault.status_code, content=fault.content)
            if draw > 0.9:
                self.change()  # while a page is being read
            response = await strava(request)
            if self.random.random() < self.kill_share:
                self.killed += 1
                raise Killed  # after Strava has counted and answered it
            return response

        transport.inner.handle_async_request = handle  # type: ignore[method-assign]
        self.kill_share = 0.08
        self.fault_share = 0.2
        self.told: list[tuple[str, int, int]] = []

    def change(self) -> None:
        """Somebody uploads, edits, hides, shows or deletes something; Strava tells of most of it."""
        athlete = ATHLETE + self.random.randrange(ATHLETES)
        dataset = self.service.strava.dataset
        entries = dataset.get_index(athlete).entries
        kind = self.random.choice(["upload", "upload", "late", "delete", "hide", "edit"])
        if kind in ("upload", "late") or not entries:
            self.next_id += 1
            start = self.service.now() - timedelta(days=self.random.uniform(3, 20) if kind == "late" else 0)
            activity = {"id": self.next_id, "sport_type": "Run", "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
            dataset.add_activity(athlete, activity)
            self.told.append(("create", athlete, self.next_id))
            return
        chosen = self.random.choice(entries)
        activity = json.loads(chosen.body)
        if kind == "delete":
            dataset.delete_activity(athlete, chosen.id)
            self.told.append(("delete", athlete, chosen.id))
            return
        changed = {"visibility": "only_me"} if kind == "hide" else {"distance": self.random.uniform(1, 1e5)}
        dataset.update_activity(athlete, {**activity, **changed})
        if kind == "hide":
            self.told.append(("delete", athlete, chosen.id))  # to those who may not see it any more

    async def deliver(self) -> None:
        """Webhooks arrive: twice, in another order, or not at all."""
        told, self.told = self.told, []
        self.random.shuffle(told)
        for aspect, athlete, strava_id in told:
            for _ in range(self.random.choice([0, 1, 1, 1, 2])):
                await self.service.receive(aspect, strava_id, athlete)

    async def work(self) -> None:
        """Two dispatchers and some workers at once, some of which die."""
        service = self.service
        await run_if_due(service.database, service.now, WARSAW, 7)
        await asyncio.gather(*(dispatch(service.database, service.now()) for _ in range(2)))
        released = await service.released()
        self.random.shuffle(released)
        runs = (self._run(job_id) for job_id in released * 2)
        await asyncio.gather(*runs)

    async def _run(self, job_id: int) -> None:
        # A task of its own, because a kill ends it and nothing else.
        worker = Worker(self.service.context)
        task = asyncio.create_task(worker.run(job_id))
        await asyncio.wait({task})
        if isinstance(error := task.exception(), Exception):
            raise error

    async def pass_by(self) -> None:
        """Some of everything, then some time."""
        for _ in range(self.random.randrange(4)):
            self.change()
        await self.deliver()
        await self.work()
        self.service.clock.advance(self.random.choice([5, 60, 130, 600, 900, 4_000, 20_000]))

    async def calm_down(self) -> None:
        """No more trouble; a night after a gap, and all that waits."""
        self.kill_share = self.fault_share = 0.0
        self.random = random.Random(0)
        self.told.clear()
        self.random.random = lambda: 0.5  # type: ignore[method-assign]
        await execute(self.service.database, "update athletes set status = 'authorized'")
        for _ in range(3):
            self.service.clock.advance(86_400)
            for _ in range(12):
                await self.work()
                self.service.clock.advance(900)

    async def published(self) -> dict[int, Published]:
        """By athlete, from all that was emitted, in any order."""
        users = {UUID(int=ATHLETE + number): ATHLETE + number for number in range(ATHLETES)}
        known = {athlete: Published({}, {}) for athlete in users.values()}
        rows = await fetch_rows(self.service.database, "select routing_key, body from outbox order by seq")
        events = [(row.routing_key, json.loads(row.body)) for row in rows if "user_id" in row.body]
        for topic, event in sorted(events, key=lambda one: (one[1].get("fetch_seq", 0), "listed" in one[0])):
            has = known[users[UUID(event["user_id"])]]
            match topic:
                case "activity.fetched.v2":
                    for activity in event["activities"]:
                        has.activities[activity["id"]] = activity
                        has.fetch_seqs[activity["id"]] = event["fetch_seq"]
                case "activity.vanished.v1":
                    has.activities.pop(event["strava_id"], None)
                case "athlete.listed.v1":
                    gone = has.activities.keys() - set(event["strava_ids"])
                    for strava_id in gone:
                        if has.fetch_seqs[strava_id] < event["fetch_seq"]:
                            del has.activities[strava_id]
        return known


@pytest.mark.parametrize(
    "begin",
    [
        datetime(2026, 3, 28, 20, tzinfo=UTC),
        datetime(2026, 10, 24, 20, tzinfo=UTC),
        datetime(2026, 12, 30, 20, tzinfo=UTC),
        datetime(2026, 2, 27, 23, tzinfo=UTC),
    ],
    ids=["summer time begins", "summer time ends", "new year", "end of February"],
)
async def test_after_a_storm_what_was_published_is_what_strava_shows(
    make_service: Callable[..., SyncUnderTest], begin: datetime, record_property: Callable[[str, object], None]
) -> None:
    service = make_service(per_page=7, athletes=ATHLETES, hide_after_paging=True, limits=Limits(read_quarter=60))
    service.auth.scopes = frozenset({"read", "activity:read"})
    service.clock.moment = begin
    await execute(service.database, "insert into fetch_window values (1, :since, :since)", since=SINCE)
    storm = Storm(service, seed=int(os.environ.get("STORM_SEED", begin.day)))
    for _ in range(60):
        storm.change()
    storm.told.clear()
    for number in range(ATHLETES):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    for _ in range(STEPS):
        await storm.pass_by()
    await storm.calm_down()
    published = await storm.published()
    for athlete, has in published.items():
        visible = {
            entry.id: json.loads(entry.body)
            for entry in service.strava.dataset.get_index(athlete).entries
            if not entry.only_me
        }
        assert has.activities.keys() == visible.keys()
        assert {one: has.activities[one].get("distance") for one in visible} == {
            one: activity.get("distance") for one, activity in visible.items()
        }
    assert service.strava.rate_limited == 0
    assert not [job for job in await service.jobs() if job.closed_at is None]
    calls = sum(service.strava.athlete_counts.values())
    record_property(
        "measured", f"sync: a storm of {calls} calls, {storm.killed} kills, {storm.faults} faults, none refused"
    )
    assert storm.killed > 0
    assert storm.faults > 3
