"""How fetched activities travel from sync to ingest: one a message or a page a message, by the outbox or straight.

`python -P bench/pages.py` prints one line of JSON: activities a second from a page in the worker's hand until ingest
has committed the last one, medians of rounds in turns. Real Postgres and RabbitMQ, sync's relay, ingest's consumer.
(`-P`, because in this folder `sync` is a benchmark and not the service.)
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import aio_pika
import structlog
import uuid_utils.compat as uuid_utils
from sqlalchemy import text

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from ingest.main import PAGES as INGEST_BATCH
from ingest.main import make_handlers
from ingest.recording.handlers import lock_people
from shared.contracts.envelope import encode_attributes
from shared.contracts.events import ActivityFetched, FetchedActivity
from shared.contracts.queues import exchange_name
from shared.database.engine import Database, create_engine
from shared.messaging import topology
from shared.messaging.bus import Bus
from shared.messaging.outbox import Relay, emit
from shared.messaging.publisher import Publisher
from testkit.waiting import wait_until

QUEUE = "ingest.activity"
USER = UUID(int=7)
PAGES, PER_PAGE = 30, 200
ROUNDS = 3
ONE_A_MESSAGE_BATCH = 200  # as it was
START = datetime(2026, 5, 1, tzinfo=UTC)


def pages(number: int, per_message: int) -> list[list[ActivityFetched]]:
    """The messages of each page."""
    made = []
    for page in range(PAGES):
        first = (number * PAGES + page) * PER_PAGE
        activities = [_activity(first + position + 1) for position in range(PER_PAGE)]
        made.append(
            [
                ActivityFetched(
                    user_id=USER,
                    athlete_id=7,
                    fetch_seq=1,
                    fetched_at=START,
                    activities=tuple(activities[position : position + per_message]),
                )
                for position in range(0, PER_PAGE, per_message)
            ]
        )
    return made


def _activity(strava_id: int) -> FetchedActivity:
    start = START + timedelta(minutes=strava_id)
    return FetchedActivity(
        id=strava_id,
        sport_type="Run",
        type="Run",
        start_date=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        start_date_local=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        timezone="(GMT+01:00) Europe/Warsaw",
        utc_offset=7200.0,
        distance=10_012.4,
        moving_time=3120,
        elapsed_time=3245,
        total_elevation_gain=84.0,
        trainer=False,
        commute=False,
        manual=False,
        private=False,
        visibility="everyone",
    )


class Pipe:
    """sync's side and ingest's side of the queue."""

    def __init__(self, servers: Servers, urls: dict[str, str]) -> None:
        self.sync = Database(create_engine(urls["sync"], "bench sync"))
        self.ingest = Database(create_engine(urls["ingest"], "bench ingest"))
        self.relay = Relay(self.sync, servers.rabbitmq.url, "bench", 0.25)
        self.publisher = Publisher(servers.rabbitmq.url, "bench straight")
        self._amqp_url = servers.rabbitmq.url

    async def by_outbox(self, page: Sequence[ActivityFetched]) -> None:
        """In the transaction that extends the job's lease."""
        async with self.sync.transaction() as session:
            await session.execute(text("select 1"))  # the lease
            await emit(session, *page)

    async def straight(self, page: Sequence[ActivityFetched]) -> None:
        """With confirms, after the lease was extended: a lost one repeats with the job."""
        async with self.sync.transaction() as session:
            await session.execute(text("select 1"))
        now = datetime.now(UTC)
        errors = await self.publisher.publish_all([_outgoing(event, now) for event in page])
        assert not any(errors), errors

    async def run(self, number: int, per_message: int, *, by_outbox: bool) -> float:
        """Seconds until all of it is recorded."""
        bus = Bus(self._amqp_url, "bench ingest", self.ingest)
        batch_size = INGEST_BATCH if per_message > 1 else ONE_A_MESSAGE_BATCH
        bus.subscribe(QUEUE, make_handlers(ZoneInfo("Europe/Warsaw")), batch=batch_size, prepare=lock_people)
        await bus.start()
        batch = pages(number, per_message)
        expected = (number + 1) * PAGES * PER_PAGE
        started = time.perf_counter()
        for page in batch:
            await (self.by_outbox(page) if by_outbox else self.straight(page))

        async def is_recorded() -> bool:
            return await self._recorded() >= expected

        await wait_until(is_recorded, "every activity is recorded")
        took = time.perf_counter() - started
        await bus.stop()
        return took

    async def _recorded(self) -> int:
        async with self.ingest.transaction() as session:
            recorded: int = (await session.execute(text("select count(*) from activities"))).scalar_one()
        return recorded


def _outgoing(event: ActivityFetched, now: datetime) -> tuple[aio_pika.Message, str, str]:
    event_id = uuid_utils.uuid7()
    message = aio_pika.Message(
        event.model_dump_json().encode(),
        headers=encode_attributes(event, event_id, now),
        message_id=str(event_id),
        type=event.event_type(),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    return message, exchange_name(event.producer), event.routing_key()


async def compare(servers: Servers) -> dict[str, Any]:
    """All four ways in turns."""
    urls = await create_roles(servers.postgres, ["sync", "ingest"])
    for service, url in urls.items():
        await upgrade(service, url)
    await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
    pipe = Pipe(servers, urls)
    relaying = asyncio.create_task(pipe.relay.run())
    ways = {
        "one_a_message_by_outbox": (1, True),
        "page_a_message_by_outbox": (PER_PAGE, True),
        "one_a_message_straight": (1, False),
        "page_a_message_straight": (PER_PAGE, False),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    number = 0
    for turn in range(ROUNDS + 1):  # the first warms up and is not counted
        for way, (per_message, by_outbox) in sorted(ways.items(), reverse=turn % 2 == 1):
            took[way].append(await pipe.run(number, per_message, by_outbox=by_outbox))
            number += 1
    pipe.relay.stop()
    await relaying
    await pipe.publisher.close()
    for database in (pipe.sync, pipe.ingest):
        await database.engine.dispose()
    return {way: round(PAGES * PER_PAGE / statistics.median(values[1:])) for way, values in took.items()}


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        sys.stdout.write(json.dumps(await compare(servers)) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
