"""The bus beside its floor: raw aio-pika and asyncpg doing the same hops, in the same run.

`python bench/bus.py` prints one line of JSON. The two take turns, and figures are medians; the ratio is ours to the
floor's in events a second.
"""

import asyncio
import json
import statistics
import sys
from typing import Any

import aio_pika
from bus_floor import Floor
from bus_load import QUEUE, events
from bus_ours import Ours
from sqlalchemy import text

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from shared.contracts.events import ActivityRecorded
from shared.database.engine import Database, create_engine
from shared.database.tables import service_metadata
from shared.messaging import topology

EVENTS = 6_000
ROUNDS = 7


async def _emptied(database: Database, channel: aio_pika.abc.AbstractChannel) -> None:
    async with database.transaction() as session:
        await session.execute(text("truncate outbox, inbox, effects"))
    await (await channel.get_queue(QUEUE)).purge()


async def compare(servers: Servers) -> dict[str, Any]:
    """Publishing and consuming, ours and the floor's in turns; and the latency of one event."""
    await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url, {QUEUE: (ActivityRecorded,)})
    database_url = (await create_roles(servers.postgres, ["bench"]))["bench"]
    database = Database(create_engine(database_url, "bench"))
    async with database.engine.begin() as connection:
        await connection.run_sync(service_metadata().create_all)
        await connection.execute(text("create table effects (strava_id bigint, user_id uuid, distance_m float8)"))
    sides: dict[str, Ours | Floor] = {"ours": Ours(servers, database_url), "floor": Floor(servers, database_url)}
    took: dict[str, list[float]] = {}
    async with await aio_pika.connect(servers.rabbitmq.url) as broker:
        channel = await broker.channel()
        for turn in range(ROUNDS + 1):  # the first warms up and is not counted
            batch = events(EVENTS)
            for name, side in sorted(sides.items(), reverse=turn % 2 == 1):
                await _emptied(database, channel)
                took.setdefault(f"publish {name}", []).append(await side.publish(batch))
                took.setdefault(f"consume {name}", []).append(await side.consume(EVENTS))
        await _emptied(database, channel)
        latencies = await Ours(servers, database_url).latency(channel)
    await database.engine.dispose()
    medians = {name: statistics.median(values[1:]) for name, values in took.items()}
    rates = {name: round(EVENTS / value) for name, value in medians.items()}
    return {
        "publish_per_s": rates["publish ours"],
        "publish_floor_per_s": rates["publish floor"],
        "publish_ratio": round(medians["publish floor"] / medians["publish ours"], 2),
        "consume_per_s": rates["consume ours"],
        "consume_floor_per_s": rates["consume floor"],
        "consume_ratio": round(medians["consume floor"] / medians["consume ours"], 2),
        "commit_to_arrival_ms": round(statistics.median(latencies) * 1000, 1),
    }


async def main() -> None:
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        sys.stdout.write(json.dumps(await compare(servers)) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
