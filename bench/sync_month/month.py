"""A month of each club, and what came of it.

Everything but Strava, auth and the clock is the real thing: the
budget, jobs and events in Postgres, the dispatcher, the worker, the receiver of webhooks, the nightly run. The limits
are those of a new application: 100 reads a quarter hour, 1,000 a day.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from club import Club, Doer, make_simulator, migrated_database
from naive import poll_nightly
from season import FRESHNESS, Action, lower_bound, plan_season

from shared.database.engine import Database
from stravasim.simulator import Settings
from sync.tables import Base
from testkit.databases import empty_tables

WARSAW = ZoneInfo("Europe/Warsaw")
BEGIN = datetime(2026, 10, 1, 4, tzinfo=UTC)
CLUBS = (300, 1_000)
DAYS = 30
SEED = 1
#: Once in the month nobody receives webhooks for a while, in the evening, when most is uploaded.
OUTAGE_AT, OUTAGE = timedelta(days=12, hours=13), timedelta(minutes=20)


async def simulate(database: Database, size: int, days: int) -> dict[str, Any]:
    """A month of one club."""
    started = time.perf_counter()
    await empty_tables(database, Base.metadata)
    app, simulator = make_simulator(size, SEED, BEGIN, Settings())
    club, doer = Club(database, simulator, app), Doer(simulator)
    athletes = list(simulator.dataset.athletes)
    actions = plan_season(athletes, BEGIN, days, SEED)
    since = BEGIN - timedelta(days=1)
    await club.join(athletes, since)
    await club.work()
    uploads = await _live_through(club, doer, actions, BEGIN + timedelta(days=days, hours=20))
    figures = _compare(club, doer, uploads, since)
    calls = sum(simulator.athlete_counts.values()) + simulator.rate_limited
    bound = lower_bound(actions, athletes)
    await club.close()
    return {
        "athletes": size,
        "days": days,
        "activities": len(uploads),
        "calls": calls,
        "calls_per_day": round(calls / days, 1),
        "lower_bound": bound,
        "ratio": round(calls / bound, 3),
        "refused": simulator.rate_limited,
        **figures,
        "naive": await poll_nightly(size, SEED, days, actions, since),
        "simulated_in_s": round(time.perf_counter() - started),
    }


async def _live_through(club: Club, doer: Doer, actions: list[Action], end: datetime) -> list[Action]:
    """Let time pass from one thing that happens to the next; returns the uploads."""
    pending = list(reversed(actions))
    night = _next_night(club.now())
    outage = [(BEGIN + OUTAGE_AT + OUTAGE, club.come_back), (BEGIN + OUTAGE_AT, club.go_away)]
    while True:
        moments = [await club.next_at(), pending[-1].at if pending else None, night]
        moments += [outage[-1][0]] if outage else []
        moment = min(one for one in moments if one is not None)
        if moment >= end:
            break
        await club.pass_time(max(moment, club.now()))
        if outage and club.now() >= outage[-1][0]:
            await outage.pop()[1]()
        while pending and pending[-1].at <= club.now():
            doer.do(pending.pop())
            await club.deliver()
        if club.now() >= night:
            night = _next_night(club.now())
        await club.work()
    return [action for action in actions if action.kind == "upload"]


def _next_night(now: datetime) -> datetime:
    local = now.astimezone(WARSAW)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=5, second=0, microsecond=0)
    return midnight.astimezone(UTC)


def _compare(club: Club, doer: Doer, uploads: list[Action], since: datetime) -> dict[str, Any]:
    """What is known in the end beside what Strava has, and how soon the uploads were known."""
    missing = surplus = outdated = 0
    for athlete in club.simulator.dataset.athletes:
        entries = club.simulator.dataset.get_index(athlete).entries
        theirs = {entry.id: json.loads(entry.body) for entry in entries if entry.start >= since.timestamp()}
        known = club.known.get(UUID(int=athlete))
        ours = known.activities if known else {}
        missing += len(theirs.keys() - ours.keys())
        # What has a hidden start may be from the day before, and is known in case it is not.
        surplus += len(ours.keys() - {entry.id for entry in entries})
        outdated += sum(
            any(ours[one].get(name) != theirs[one].get(name) for name in ("sport_type", "distance", "visibility"))
            for one in theirs.keys() & ours.keys()
        )
    waits = [_wait(club, doer, upload) for upload in uploads]
    by_morning = [
        wait is not None and upload.at + wait <= _morning(upload.at)
        for upload, wait in zip(uploads, waits, strict=True)
    ]
    soon = [wait is not None and wait <= FRESHNESS for wait in waits]
    return {
        "missing": missing,
        "surplus": surplus,
        "outdated": outdated,
        "known_within_10_min": round(sum(soon) / len(soon), 4),
        "known_by_next_morning": round(sum(by_morning) / len(by_morning), 4),
    }


def _wait(club: Club, doer: Doer, upload: Action) -> timedelta | None:
    known = club.known.get(UUID(int=upload.athlete))
    seen = known.first_seen.get(doer.ids[upload.number]) if known else None
    return None if seen is None else seen - upload.at


def _morning(moment: datetime) -> datetime:
    local = moment.astimezone(WARSAW)
    return (local + timedelta(days=1)).replace(hour=7, minute=0, second=0, microsecond=0)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--athletes", type=int, nargs="*", default=list(CLUBS))
    parser.add_argument("--days", type=int, default=DAYS)
    options = parser.parse_args()
    async with migrated_database() as database:
        clubs = [await simulate(database, size, options.days) for size in options.athletes]
    sys.stdout.write(json.dumps({"clubs": clubs}) + "\n")
