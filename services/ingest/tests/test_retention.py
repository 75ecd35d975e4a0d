"""Activities that started before what is kept are deleted, with everything that is known of them."""

from datetime import UTC, datetime, timedelta

import pytest
from ingest_helpers import handle, overlapping_pairs, recorded_distances

from ingest.retention import use_cases
from ingest.retention.use_cases import purge, purge_if_due
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import JAN, fetched, listed, retention_advanced, vanished
from testkit.handling import emitted

MAY_2 = datetime(2026, 5, 2, tzinfo=UTC)
OLD, NEW = "2026-05-01T06:00:00Z", "2026-05-03T06:00:00Z"


async def count_rows(database: Database, table: str) -> int:
    [row] = await fetch_rows(database, f"select count(*) as rows from {table}")
    return int(row.rows)


async def test_what_started_before_is_deleted_without_a_word(database: Database) -> None:
    await handle(database, fetched(1, start_date=OLD), fetched(2, start_date=NEW), fetched(3, user_id=JAN))
    before = await emitted(database)
    await handle(database, retention_advanced(MAY_2))
    assert await purge(database) == {"recorded": 2}
    assert set(await recorded_distances(database)) == {2}
    assert await emitted(database) == before


async def test_what_started_before_is_not_recorded_any_more(database: Database) -> None:
    await handle(database, retention_advanced(MAY_2))
    await handle(database, fetched(1, start_date=OLD), fetched(2, start_date=OLD, distance=-1.0))
    assert await emitted(database) == []
    assert await count_rows(database, "rejected") == 0


async def test_an_activity_that_is_moved_to_before_is_removed(database: Database) -> None:
    await handle(database, fetched(1, 1, start_date=NEW), retention_advanced(MAY_2), fetched(1, 2, start_date=OLD))
    topic, event = (await emitted(database))[-1]
    assert (topic, event["reason"]) == ("activity.removed", "expired")


async def test_the_versions_and_the_reasons_of_what_is_deleted_go_with_it(database: Database) -> None:
    await handle(
        database, fetched(1, 1, start_date=OLD), fetched(1, 2, start_date=OLD, distance=5.0), one_by_one=True
    )
    await handle(database, fetched(2, start_date=OLD, distance=-1.0), fetched(3, start_date=OLD), vanished(3, 2))
    await handle(database, listed(1, 2, fetch_seq=3))
    await execute(database, "update activities set seen_at = '2026-05-01' where state <> 'recorded'")
    await execute(database, "update listings set until = '2026-05-01'")
    await handle(database, retention_advanced(MAY_2))
    assert await purge(database) == {"recorded": 1, "rejected": 1, "removed": 1, "listings": 1}
    for table in ("activities", "activity_versions", "rejected", "listings"):
        assert await count_rows(database, table) == 0, table


async def test_what_strava_said_of_an_unreadable_activity_is_deleted_by_its_start(database: Database) -> None:
    await handle(database, fetched(1, 2, start_date=OLD, distance=-1.0), fetched(2, start_date=NEW, distance=-1.0))
    await handle(database, retention_advanced(MAY_2))
    assert await purge(database) == {"rejected": 1}
    assert [row.strava_id for row in await fetch_rows(database, "select strava_id from rejected")] == [2]
    await handle(database, fetched(1, 1, start_date=NEW))
    assert await recorded_distances(database) == {}


async def test_what_was_said_of_lately_keeps_its_mark_so_that_nothing_late_brings_it_back(database: Database) -> None:
    await handle(database, fetched(1, 1, start_date=NEW), vanished(1, 3), retention_advanced(MAY_2))
    await purge(database)
    await handle(database, fetched(1, 2, start_date=NEW))
    assert await recorded_distances(database) == {}


async def test_the_latest_date_holds_even_when_it_is_an_earlier_one(database: Database) -> None:
    """An organiser may add a challenge of days that were given up already."""
    for minute, day in ((2, 1), (1, 20), (3, 2)):
        await handle(database, retention_advanced(datetime(2026, 5, day, tzinfo=UTC), minute))
    [row] = await fetch_rows(database, "select before from retention")
    assert row.before == MAY_2


async def test_what_overlapped_something_deleted_is_told_that_it_does_so_no_more(database: Database) -> None:
    await handle(database, fetched(1, start_date="2026-05-01T23:30:00Z", elapsed_time=3600))
    await handle(database, fetched(2, start_date="2026-05-02T00:10:00Z", elapsed_time=3600))
    assert await overlapping_pairs(database) == {(1, 2)}
    await handle(database, retention_advanced(MAY_2))
    await purge(database)
    topic, event = (await emitted(database))[-1]
    assert (topic, event["strava_id"], event["overlaps_with"]) == ("activity.revised", 2, [])


async def test_the_background_task_deletes_batch_by_batch_and_then_rests(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "PURGE_BATCH", 2)
    assert not await purge_if_due(database)
    await handle(database, *(fetched(number, start_date=OLD) for number in range(1, 6)), retention_advanced(MAY_2))
    left = []
    while await purge_if_due(database):
        left.append(await count_rows(database, "activities"))
    assert left == [3, 1, 0]
    await execute(database, "update activities set start_at = start_at - interval '1 year'")
    assert not await purge_if_due(database)
    await handle(database, retention_advanced(MAY_2 + timedelta(days=1), 2))
    [row] = await fetch_rows(database, "select before, purged_before from retention")
    assert (row.before, row.purged_before) == (MAY_2 + timedelta(days=1), MAY_2)
