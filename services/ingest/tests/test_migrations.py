"""What an installation has on record survives the migration to one row for each activity."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from ingest_helpers import handle, recorded_distances, rejected_fetches
from sqlalchemy import Connection

from testkit.databases import execute, fetch_rows, open_database
from testkit.events import ANNA, JAN, fetched
from testkit.handling import emitted
from testkit.servers import LazyServers

INI = Path(__file__).parents[1] / "alembic.ini"
_FACTS = """'{user}', {version}, {seq}, 'Run', '2026-05-01T06:00Z', '2026-05-01T08:00', 1000, 60, 60, 0, false, false,
    false, 'everyone', {removed}"""


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config(INI)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_rows_of_four_tables_become_one_for_each_activity(test_servers: LazyServers) -> None:
    async with open_database(test_servers.database("ingest")["ingest"]) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade, "0005")
        for strava_id, version, seq, removed in ((1, 10, 5, "null"), (2, 11, 5, "now()"), (3, 12, 5, "now()")):
            facts = _FACTS.format(user=ANNA, version=version, seq=seq, removed=removed)
            await execute(database, f"insert into activities values ({strava_id}, {facts})")
        await execute(
            database,
            f"insert into rejected (strava_id, user_id, fetch_seq, reason, rejected_at) "
            f"values (4, '{ANNA}', 5, 'odd', now())",
        )
        await execute(
            database,
            f"insert into vanished (strava_id, user_id, fetch_seq, vanished_at) "
            f"values (3, '{ANNA}', 7, now()), (5, '{ANNA}', 7, now())",
        )
        await execute(database, f"insert into erased_users values ('{JAN}', now())")

        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade, "head")
        rows = await fetch_rows(
            database, "select strava_id, state, fetch_seq, version, start_at from activities order by 1"
        )
        assert [(row.strava_id, row.state, row.fetch_seq, row.version) for row in rows] == [
            (1, "recorded", 5, 10),
            (2, "removed", 5, 11),
            (3, "removed", 7, 12),
            (4, "rejected", 5, None),
            (5, "removed", 7, None),
        ]
        assert [row.start_at is None for row in rows] == [False, True, True, True, True]
        assert await rejected_fetches(database) == {4: 5}

        # What is late stays away, and what is new goes on with the versions.
        await handle(database, *(fetched(strava_id, 5, distance=2.0) for strava_id in (1, 2, 3, 5)))
        await handle(database, fetched(6, 9, JAN), fetched(1, 9, distance=3.0), fetched(3, 9))
        assert await recorded_distances(database) == {1: 3.0, 3: 1000.0}
        told = [(topic, event["strava_id"], event["version"] > 12) for topic, event in await emitted(database)]
        assert told == [("activity.revised", 1, True), ("activity.recorded", 3, True)]
