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
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pipe import floor
from pipe.load import ATHLETES, PER_ATHLETE, Round, make_round
from pipe.service import to_message, to_outgoing
from pipe.sides import OURS, Sides, is_ours, open_sides, take_turns
from sqlalchemy import text

from leaderboard.seed import ensure_default_challenge
from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people
from shared.contracts.events import ActivityRecorded
from shared.database.engine import Database, create_engine
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor

HISTORIES = (10, 1_000, 10_000)
PER_DAY = 10
SCORED = 200  # new activities of one athlete, one after the other
FIRST_DAY = date(2024, 1, 1)
QUEUE = "leaderboard.activity"
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
    """Rounds of one side, and of one athlete's histories."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._rounds = 0

    async def measure(self, side: str, replicas: int) -> float:
        """Activities a second."""
        self._rounds += 1
        load = make_round(self._rounds, datetime.combine(FIRST_DAY, datetime.min.time(), UTC))
        counts = _COUNTS["ours" if is_ours(side) else "floor"]
        async with self._sides.connect(side) as connection:
            before = (await connection.fetchrow(counts))[0]
            async with self._sides.processes(side, replicas):
                started = time.perf_counter()
                publishing = asyncio.create_task(self._publish(load, side))
                while tuple(await connection.fetchrow(counts)) != (before + load.activities, 0):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                took = time.perf_counter() - started
                await publishing
        return load.activities / took

    async def _publish(self, load: Round, side: str) -> None:
        for page in load.pages:
            events = [to_event(one.model_dump(), page.user_id) for one in page.activities]
            if is_ours(side):
                await self._sides.publish(map(to_outgoing, events))
                continue
            bodies = [to_floor(event, page.fetch_seq) for event in events]
            await self._sides.publish(
                (to_message(event, body), floor.EXCHANGE, "activity.recorded")
                for event, body in zip(events, bodies, strict=True)
            )

    async def measure_histories(self) -> dict[int, float]:
        """Milliseconds for each new activity of one athlete, by how many are on record."""
        database = Database(create_engine(self._sides.database_url, "bench"))
        took: dict[int, float] = {}
        user_id, present = uuid4(), 0
        for history in HISTORIES:
            async with self._sides.connect(OURS) as connection:
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
    """Both sides in turns; then one athlete with ever more on record."""
    rates = await take_turns(bench.measure)
    by_history = await bench.measure_histories()
    return {
        "activities": ATHLETES * PER_ATHLETE,
        **rates,
        "ms_by_history": by_history,
        "growth": round(by_history[HISTORIES[-1]] / by_history[HISTORIES[0]], 2),
    }


async def main() -> None:
    async with open_sides("leaderboard") as sides:
        database = Database(create_engine(sides.database_url, "bench"))
        days = (FIRST_DAY, FIRST_DAY + timedelta(days=1_090))
        await ensure_default_challenge(database, "Bench", days, "UTC")
        await database.engine.dispose()
        result = await compare(Bench(sides))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
