"""A million activities of the simulated Strava through two replicas of ingest, and whether all of them are on record.

`python bench/million.py` prints one line of JSON, after ten minutes or so; with ATHLETES DAYS as arguments, of fewer.
What is recorded is compared athlete by athlete with an independent reading of Strava's JSON, in number and distance;
overlaps must name each other, and be those that a sweep over each athlete's activities finds.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import structlog
from pipe.service import start_service, to_outgoing

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack import expected_activities
from devstack.stack.expected_activities import Activity
from devstack.stack.provision import upgrade
from shared.contracts.events import ActivityFetched, FetchedActivity
from shared.messaging import topology
from shared.messaging.publisher import Publisher
from stravasim.dataset.dataset import Dataset
from stravasim.dataset.generator import generate_dataset

PER_PAGE = 200
REPLICAS = 2
AHEAD = 400  # pages that may wait in the queue
TOLERANCE = timedelta(minutes=3)


class Expected:
    """What must be on record in the end: of each user the number, the distance, and who overlaps how many."""

    def __init__(self) -> None:
        self.recorded: dict[UUID, tuple[int, Decimal]] = {}
        self.private = 0
        self.flagged = 0
        self.overlapping = 0
        self.total = 0

    def add(self, user_id: UUID, summaries: Sequence[dict[str, Any]]) -> None:
        own = {one.id: one for one in expected_activities.parse_activities(summaries)}
        shown = [one for one in own.values() if not one.only_me]
        self.total += len(summaries)
        self.private += len(own) - len(shown)
        self.flagged += sum(one.flagged for one in shown)
        self.overlapping += _count_overlapping(shown)
        if shown:
            self.recorded[user_id] = len(shown), sum((one.distance_m for one in shown), Decimal(0))


def _count_overlapping(activities: Sequence[Activity]) -> int:
    found: set[int] = set()
    going_on: list[Activity] = []
    for one in sorted(activities, key=lambda each: (each.start_at, each.id)):
        going_on = [other for other in going_on if other.end > one.start_at]
        for other in going_on:
            if expected_activities.overlap(one, other) > TOLERANCE:
                found |= {one.id, other.id}
        going_on.append(one)
    return len(found)


def _page(user_id: UUID, seq: int, summaries: Sequence[dict[str, Any]]) -> ActivityFetched:
    known = FetchedActivity.model_fields.keys()
    return ActivityFetched(
        user_id=user_id,
        athlete_id=seq,
        fetch_seq=seq,
        fetched_at=datetime.now(UTC),
        activities=tuple(
            FetchedActivity(**{name: value for name, value in one.items() if name in known}) for one in summaries
        ),
    )


async def publish_all(dataset: Dataset, amqp_url: str) -> Expected:
    """Every athlete's pages, no faster than they are consumed; what others would hear of them is thrown away."""
    expected, publisher = Expected(), Publisher(amqp_url, "bench")
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        heard = await channel.get_queue("leaderboard.activity", ensure=False)
        for seq, athlete_id in enumerate(dataset.athletes, 1):
            summaries = [json.loads(entry.body) for entry in dataset.get_index(athlete_id).entries]
            user_id = UUID(int=athlete_id)
            expected.add(user_id, summaries)
            pages = [_page(user_id, seq, summaries[at : at + PER_PAGE]) for at in range(0, len(summaries), PER_PAGE)]
            errors = await publisher.publish_all([to_outgoing(page) for page in pages])
            assert not any(errors), errors
            if seq % 50 == 0:
                await heard.purge()
                while await publisher.queue_depth("ingest.activity") > AHEAD:
                    await heard.purge()
                    await asyncio.sleep(0.2)
        while await publisher.queue_depth("ingest.activity"):
            await heard.purge()
            await asyncio.sleep(0.2)
    await publisher.close()
    return expected


@asynccontextmanager
async def replicas(supervisor: Supervisor, servers: Servers, database_url: str) -> AsyncIterator[None]:
    names = [f"ingest-{number}" for number in range(REPLICAS)]
    for name in names:
        await start_service(supervisor, name, "ingest", database_url, servers.rabbitmq.url, LOG_LEVEL="WARNING")
    yield
    for name in names:
        await supervisor.stop(name)


async def find_mismatches(connection: asyncpg.Connection, expected: Expected) -> list[str]:
    """One line for everything that is not as it must be."""
    rows = await connection.fetch(
        "select user_id, count(*), sum(distance_m) from activities where state = 'recorded' group by user_id"
    )
    found = {row["user_id"]: (row["count"], row["sum"]) for row in rows}
    wrong = [str(user) for user in found.keys() | expected.recorded if found.get(user) != expected.recorded.get(user)]
    counts = await connection.fetchrow(
        """select count(*) filter (where state = 'private') as private, count(*) filter (where flagged) as flagged,
               count(*) filter (where overlaps_with <> '{}') as overlapping, count(*) as total,
               (select count(*) from activities a, unnest(a.overlaps_with) as other
                where not exists (select from activities b
                    where b.strava_id = other and a.strava_id = any(b.overlaps_with))) as lopsided
           from activities"""
    )
    wanted = {
        "private": expected.private,
        "flagged": expected.flagged,
        "overlapping": expected.overlapping,
        "total": expected.total,
        "lopsided": 0,
    }
    return [
        *(f"user {user}" for user in wrong),
        *(f"{name}: {counts[name]}, not {value}" for name, value in wanted.items() if counts[name] != value),
    ]


async def main(athletes: int, days: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    now = datetime.now(UTC)
    until = date(now.year, now.month, now.day) - timedelta(days=1)
    dataset = generate_dataset(athletes=athletes, days=days, seed=13, until=until, now=now)
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        url = (await create_roles(servers.postgres, ["ingest"]))["ingest"]
        await upgrade("ingest", url)
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        async with replicas(supervisor, servers, url):
            started = time.perf_counter()
            expected = await publish_all(dataset, servers.rabbitmq.url)
            pages = await connection.fetchval("select 1")
            while pages:  # what is taken from the queue is still to be committed and told of
                await asyncio.sleep(0.5)
                pages = expected.total - await connection.fetchval("select count(*) from activities")
                pages = pages or await connection.fetchval("select count(*) from outbox")
            took = time.perf_counter() - started
        mismatches = await find_mismatches(connection, expected)
        await connection.close()
    for line in mismatches[:20]:
        sys.stderr.write(f"mismatch: {line}\n")
    result = {
        "athletes": athletes,
        "activities": expected.total,
        "recorded": sum(count for count, _ in expected.recorded.values()),
        "private": expected.private,
        "flagged": expected.flagged,
        "overlapping": expected.overlapping,
        "mismatches": len(mismatches),
        "seconds": round(took),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:] or ("2400", "400"))))
