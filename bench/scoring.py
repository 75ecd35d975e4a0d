"""leaderboard alone beside its floor, with one and two replicas, and with ever longer histories.

`python bench/scoring.py` prints one line of JSON. A round: processes consume, the activities of a club are published
to their queue, and the clock runs until all of them are in the standings and nothing is left in the outbox. The
floor does the same hops in one process on raw aio-pika and asyncpg: an upsert from arrays, sums added to standings;
and once more without the archive. They take turns; the figures are medians.

Then one athlete's new activities are scored one by one, in transactions of their own, when ten, a thousand and ten
thousand are on record, ten on each day.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import httpx
import structlog
import uuid_utils.compat as uuid_utils
from pipe import floor
from pipe.load import ATHLETES, PER_ATHLETE, Round, make_round
from sqlalchemy import text

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from devstack.stack.stack import is_healthy
from leaderboard.seed import ensure_default_challenge
from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people
from shared.contracts.envelope import encode_attributes
from shared.contracts.events import ActivityRecorded
from shared.database.engine import Database, create_engine
from shared.messaging import topology
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor
from shared.messaging.publisher import Publisher

ROUNDS = 3
HISTORIES = (10, 1_000, 10_000)
PER_DAY = 10
SCORED = 200  # new activities of one athlete, one after the other
FIRST_DAY = date(2024, 1, 1)
QUEUE, EXCHANGE = "leaderboard.activity", "ev.ingest"
_COUNTS = {
    "ours": """select coalesce(sum(activities), 0),
            (select count(*) from outbox) + (select count(*) from board_changes)
        from standings join board_versions on board_versions.id = version_id
            where threshold is null and state = 'live'""",
    "floor": "select coalesce(sum(activities), 0), (select count(*) from leaderboard_outbox) from standings",
}
_FILL = f"""insert into activities (strava_id, user_id, version, removed, sport_type, start_at, local_start,
        distance_m, moving_time_s, elapsed_time_s, elev_gain_m)
    select 1000000 + n, $1, 1, false, 'Run', start, start at time zone 'UTC', 1000, 300, 300, 10
    from (select n, timestamptz '{FIRST_DAY} 00:00Z' + n / {PER_DAY} * interval '1 day'
              + n % {PER_DAY} * interval '1 hour' as start
          from generate_series($2::int, $3::int - 1) as n) as activity"""  # noqa: S608 - constants


_DELETE = text("delete from activities where strava_id >= :first and strava_id < :first + 1000")


class Bench:
    """The servers, and the sides that take turns."""

    def __init__(self, supervisor: Supervisor, servers: Servers, urls: dict[str, str]) -> None:
        self._supervisor = supervisor
        self._amqp_url = servers.rabbitmq.url
        self._urls = urls
        self._publisher = Publisher(self._amqp_url, "bench")
        self._rounds = 0

    async def prepare(self) -> None:
        async with self._connect("floor") as connection:
            for table in floor.TABLES:
                await connection.execute(table)

    @asynccontextmanager
    async def _connect(self, schema: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._urls[schema].replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        await self._publisher.close()

    async def measure(self, side: str, replicas: int = 1) -> float:
        """Activities a second."""
        self._rounds += 1
        load = make_round(self._rounds, datetime.combine(FIRST_DAY, datetime.min.time(), UTC))
        kind = side.partition(" ")[0]
        schema = "leaderboard" if kind == "ours" else "floor"
        async with await aio_pika.connect(self._amqp_url) as broker:
            await floor.declare(await broker.channel(), archived=side != "floor without archive")
        async with self._connect(schema) as connection:
            before = (await connection.fetchrow(_COUNTS[kind]))[0]
            async with self._processes(kind, replicas):
                started = time.perf_counter()
                publishing = asyncio.create_task(self._publish(load, kind))
                while tuple(await connection.fetchrow(_COUNTS[kind])) != (before + load.activities, 0):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                took = time.perf_counter() - started
                await publishing
        return load.activities / took

    async def _publish(self, load: Round, kind: str) -> None:
        now = datetime.now(UTC)
        for page in load.pages:
            messages = []
            for one in page.activities:
                event = to_event(one.model_dump(), page.user_id)
                key = uuid_utils.uuid7()
                body = event.model_dump_json() if kind == "ours" else to_floor(event, page.fetch_seq)
                message = aio_pika.Message(
                    body.encode(),
                    headers=dict(encode_attributes(event, key, now)),
                    message_id=str(key),
                    type=event.event_type(),
                    delivery_mode=2,
                )
                route = (EXCHANGE, event.routing_key()) if kind == "ours" else (floor.EXCHANGE, "activity.recorded")
                messages.append((message, *route))
            errors = await self._publisher.publish_all(messages)
            assert not any(errors), errors

    @asynccontextmanager
    async def _processes(self, kind: str, replicas: int) -> AsyncIterator[None]:
        names = [f"{kind}-{number}" for number in range(replicas)]
        for name in names:
            await (self._start_ours if kind == "ours" else self._start_floor)(name)
        if kind != "ours":
            await asyncio.sleep(1.5)  # it connects
        yield
        for name in names:
            await self._supervisor.stop(name)

    async def _start_floor(self, name: str) -> None:
        url = self._urls["floor"].replace("+asyncpg", "")
        argv = [sys.executable, "-P", floor.__file__, "leaderboard", url, self._amqp_url]
        await self._supervisor.start(name, argv, env={"PATH": "/usr/bin:/bin"})

    async def _start_ours(self, name: str) -> None:
        http_port, internal_port = reserve_ports(2)
        env = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": self._urls["leaderboard"],
            "RABBITMQ_URL": self._amqp_url,
            "HTTP_PORT": str(http_port),
            "INTERNAL_PORT": str(internal_port),
            "LEADERBOARD_API_KEY": "a-key-for-a-benchmark",
            "LEADERBOARD_OPERATOR_KEY": "another-key-for-a-benchmark",
            "LOG_LEVEL": "ERROR",
        }
        await self._supervisor.start(name, [sys.executable, "-P", "-m", "leaderboard.main"], env=env)
        async with httpx.AsyncClient() as client:
            address = f"http://127.0.0.1:{internal_port}/health/ready"
            await self._supervisor.wait_until_ready(name, lambda: is_healthy(client, address), 60)

    async def measure_histories(self) -> dict[int, float]:
        """Milliseconds for each new activity of one athlete, by how many are on record."""
        database = Database(create_engine(self._urls["leaderboard"], "bench"))
        took: dict[int, float] = {}
        user_id, present = uuid4(), 0
        for history in HISTORIES:
            async with self._connect("leaderboard") as connection:
                await connection.execute(_FILL, user_id, present, history)
                await connection.execute("vacuum analyze activities")
            present = history
            took[history] = await self._score_one_by_one(database, user_id, history)
        await database.engine.dispose()
        return took

    async def _score_one_by_one(self, database: Database, user_id: UUID, history: int) -> float:
        processor = InboxProcessor(QUEUE, database, ACTIVITY_HANDLERS, lock_people)
        times = []
        for number in range(SCORED):
            days = number % max(1, history // PER_DAY)
            start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=days, minutes=630)
            one = {"id": history * 1_000 + number, "sport_type": "Run", "start": start, "distance": float(number)}
            started = time.perf_counter()
            [error] = await processor.process([Delivery(uuid4(), to_event(one, user_id))])
            times.append(time.perf_counter() - started)
            assert error is None, error
            async with database.transaction() as session:  # so that no day fills up
                await session.execute(_DELETE, {"first": history * 1_000})
        return round(statistics.median(times) * 1000, 2)


def to_event(one: dict[str, Any], user_id: UUID) -> ActivityRecorded:
    """As ingest would tell of it."""
    start = one.get("start") or datetime.fromisoformat(one["start_date"])
    return ActivityRecorded(
        user_id=user_id,
        strava_id=one["id"],
        version=1,
        reason="fetched",
        sport_type=one["sport_type"],
        start_at=start,
        local_start=start.replace(tzinfo=None),
        distance_m=one["distance"],
        moving_time_s=one.get("moving_time", 300),
        elapsed_time_s=one.get("elapsed_time", 300),
        elev_gain_m=one.get("total_elevation_gain", 10.0),
        trainer=False,
        commute=False,
        manual=False,
        visibility="everyone",
    )


def to_floor(event: ActivityRecorded, fetch_seq: int) -> str:
    """What the floor's first half writes."""
    row = event.model_dump(mode="json", include={name for name, _ in floor._COLUMNS})
    return json.dumps({**row, "user_id": str(event.user_id), "fetch_seq": fetch_seq, "flagged": False})


async def compare(bench: Bench) -> dict[str, Any]:
    """Two floors, one replica and two in turns; then one athlete with ever more on record."""
    turns = {"floor": ("floor", 1), "bare": ("floor without archive", 1), "1": ("ours", 1), "2": ("ours", 2)}
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(ROUNDS + 1):  # the first warms up
        for name in turns if number % 2 else reversed(turns):
            rate = await bench.measure(*turns[name])
            rates[name] += [rate] if number else []
    medians = {name: statistics.median(values) for name, values in rates.items()}
    by_history = await bench.measure_histories()
    return {
        "activities": ATHLETES * PER_ATHLETE,
        "activities_per_s": round(medians["1"]),
        "floor_per_s": round(medians["floor"]),
        "ratio": round(medians["1"] / medians["floor"], 2),
        "floor_without_archive_per_s": round(medians["bare"]),
        "ratio_without_archive": round(medians["1"] / medians["bare"], 2),
        "two_replicas_per_s": round(medians["2"]),
        "ms_by_history": by_history,
        "growth": round(by_history[HISTORIES[-1]] / by_history[HISTORIES[0]], 2),
    }


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        urls = await create_roles(servers.postgres, ["leaderboard", "floor"])
        await upgrade("leaderboard", urls["leaderboard"])
        database = Database(create_engine(urls["leaderboard"], "bench"))
        days = (FIRST_DAY, FIRST_DAY + timedelta(days=1_090))
        await ensure_default_challenge(database, "Bench", days, "UTC")
        await database.engine.dispose()
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        bench = Bench(supervisor, servers, urls)
        await bench.prepare()
        result = await compare(bench)
        await bench.close()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
