"""ingest alone beside its floor, with one and two replicas, and with more and more on record.

`python bench/recording.py` prints one line of JSON. A round: processes consume, pages of a club are published to
their queue, and the clock runs until the last activity's event is confirmed by the broker. The floor does the same
hops in one process on raw aio-pika and asyncpg: an upsert from arrays, outbox rows, publishing with confirms to a
queue and to the archive; and once more without the archive. They take turns; the figures are medians.
"""

import asyncio
import json
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import Any

from pipe import floor
from pipe.load import Round, make_round
from pipe.service import to_message, to_outgoing
from pipe.sides import OURS, ROUNDS, Sides, is_ours, open_sides, take_turns

SIZES = (10_000, 100_000, 1_000_000)
FIRST_DAY = datetime(2026, 1, 1, 6, tzinfo=UTC)
QUEUE, RECORDED = "ingest.activity", "leaderboard.activity"
#: Of as many athletes as have 94 activities each, an activity every 18 hours.
_FILL = """insert into activities (strava_id, user_id, fetch_seq, state, version, seen_at, changed_at, reason,
        sport_type, start_at, local_start, distance_m, moving_time_s, elapsed_time_s, elev_gain_m, trainer, commute,
        manual, flagged, visibility, suspicions)
    select n, ('00000000-0000-4000-8000-' || lpad(to_hex(n / 94), 12, '0'))::uuid, 1, 'recorded', 1, now(), now(),
        'fetched', 'Run', start, start at time zone 'UTC', 10012.4, 3120, 3245, 84, false, false, false, false,
        'everyone', '{}'
    from (select n, timestamptz '2026-01-01 06:00Z' + n % 94 * interval '18 hours' as start
          from generate_series($1::bigint, $2::bigint) as n) as activity"""


class Bench:
    """Rounds of one side, with as much on record as there is."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._rounds = 0

    async def fill(self, size: int) -> None:
        """So many activities on record, of others than will come."""
        async with self._sides.connect(OURS) as connection:
            present = await connection.fetchval("select count(*) from activities")
            if present < size:
                await connection.execute(_FILL, present + 1, size)
            await connection.execute("vacuum analyze activities")

    async def measure(self, side: str, replicas: int = 1) -> float:
        """Activities a second."""
        self._rounds += 1
        load = make_round(self._rounds, FIRST_DAY)
        outbox = "outbox" if is_ours(side) else "ingest_outbox"
        counts = f"select (select count(*) from inbox), (select count(*) from {outbox})"  # noqa: S608 - a constant
        async with self._sides.connect(side) as connection:
            before = await connection.fetchval("select count(*) from inbox")
            async with self._sides.processes(side, replicas):
                await self._publish(load, side)
                started = time.perf_counter()
                while True:
                    await asyncio.sleep(0.02)
                    done, left = await connection.fetchrow(counts)
                    if done - before == len(load.pages) and left == 0:
                        break
                took = time.perf_counter() - started
        await self._purge()
        return load.activities / took

    async def _purge(self) -> None:
        async with self._sides.channel() as channel:
            for name in (QUEUE, RECORDED, *(floor.QUEUES[role] for role in ("ingest", "leaderboard"))):
                await (await channel.get_queue(name, ensure=False)).purge()

    async def _publish(self, load: Round, side: str) -> None:
        if is_ours(side):
            await self._sides.publish(map(to_outgoing, load.pages))
            return
        await self._sides.publish(
            (to_message(page, page.model_dump_json()), floor.EXCHANGE, "activity.fetched") for page in load.pages
        )


async def compare(bench: Bench) -> dict[str, Any]:
    """Both sides in turns; then one replica with ever more on record."""
    rates = await take_turns(bench.measure)
    by_size = {}
    for size in SIZES:
        await bench.fill(size)
        by_size[size] = round(statistics.median([await bench.measure(OURS) for _ in range(ROUNDS)]))
    return {
        **rates,
        "activities_per_s_by_size": by_size,
        "growth": round(by_size[SIZES[0]] / by_size[SIZES[-1]], 2),
    }


async def main() -> None:
    async with open_sides("ingest") as sides:
        result = await compare(Bench(sides))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
