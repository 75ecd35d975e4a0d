"""Who is erased leaves nothing on record, and nothing brings them back; on a real database."""

import asyncio
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from ingest_helpers import delete_all, handle, recorded_distances, rejected_fetches, unusable

from ingest.recording.handlers import lock_people, make_record_handler
from shared.database.engine import Database
from shared.messaging.decoding import Delivery
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, erased, fetched, listed, some_orders
from testkit.handling import emitted
from testkit.waiting import wait_until

ANNA_AGAIN = UUID(int=9)  # the same athlete, who joined again


async def list_owners(database: Database) -> set[tuple[str, UUID]]:
    """What is on record, and whose."""
    rows = await fetch_rows(
        database,
        """select 'activity ' || strava_id as what, user_id from activities where state = 'recorded'
           union all select 'rejected ' || strava_id, user_id from rejected
           union all select 'listing ' || fetch_seq, user_id from listings""",
    )
    return {(row.what, row.user_id) for row in rows}


async def test_everything_about_an_erased_user_is_deleted_and_nothing_of_others(database: Database) -> None:
    await handle(database, fetched(1), fetched(2), listed(1), unusable(3, 2))
    await handle(database, fetched(4, user_id=JAN), fetched(5, distance=-1.0, user_id=JAN), listed(4, user_id=JAN))
    before = await emitted(database)
    await handle(database, erased(ANNA))
    assert await list_owners(database) == {("activity 4", JAN), ("rejected 5", JAN), ("listing 1", JAN)}
    assert await emitted(database) == before
    [row] = await fetch_rows(database, "select user_id, private_activities, erased_at from people")
    assert tuple(row) == (ANNA, False, erased().erased_at)


async def test_what_comes_late_about_an_erased_user_records_and_tells_nothing(database: Database) -> None:
    await handle(database, erased(ANNA), erased(ANNA))
    await handle(database, fetched(1), unusable(2), listed(1), fetched(3, user_id=JAN), listed(3, user_id=JAN))
    assert await list_owners(database) == {("activity 3", JAN), ("listing 1", JAN)}
    assert [event["strava_id"] for _, event in await emitted(database)] == [3]


async def test_an_erasure_that_comes_again_changes_nothing(database: Database) -> None:
    await handle(database, fetched(1), fetched(2, user_id=JAN), erased(ANNA))
    before = await list_owners(database), await emitted(database)
    await handle(database, erased(ANNA))
    assert (await list_owners(database), await emitted(database)) == before


async def test_in_whatever_order_an_erasure_comes_who_joined_again_keeps_everything(database: Database) -> None:
    events = (
        fetched(1, 1),
        unusable(2, 1),
        erased(ANNA),
        fetched(1, 2, user_id=ANNA_AGAIN),
        fetched(2, 2, user_id=ANNA_AGAIN, distance=-1.0),
    )
    wanted = {("activity 1", ANNA_AGAIN), ("rejected 2", ANNA_AGAIN)}
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        assert await list_owners(database) == wanted, order
        newest = max((event for _, event in await emitted(database)), key=lambda event: event["version"])
        assert newest["user_id"] == str(ANNA_AGAIN), order


async def test_a_late_fetch_of_the_former_user_does_not_displace_one_of_the_present(database: Database) -> None:
    await handle(database, erased(ANNA))
    await handle(
        database, fetched(1, 9), unusable(2, 9), fetched(1, 2, ANNA_AGAIN), fetched(2, 2, ANNA_AGAIN, distance=-1.0)
    )
    assert await list_owners(database) == {("activity 1", ANNA_AGAIN), ("rejected 2", ANNA_AGAIN)}
    await handle(database, unusable(1, 9), fetched(2, 9))
    assert await recorded_distances(database) == {1: 1000.0}
    assert await rejected_fetches(database) == {2: 2}


async def test_an_erasure_and_fetches_at_once_leave_nothing_and_do_not_deadlock(database: Database) -> None:
    batches = [[fetched(n, seq) for n in range(1, 41)] for seq in range(1, 4)]
    await asyncio.gather(
        *(handle(database, *batch) for batch in batches),
        handle(database, erased(ANNA)),
        handle(database, *(unusable(n, 4) for n in range(20, 60))),
        handle(database, listed(1, 2, fetch_seq=5)),
    )
    assert await list_owners(database) == set()


async def test_an_erasure_waits_for_a_fetch_that_is_being_recorded(database: Database) -> None:
    async def is_waiting_or_done() -> bool:
        waiting = await fetch_rows(database, "select 1 from pg_stat_activity where wait_event = 'advisory'")
        return bool(waiting) or erasure.done()

    async with database.transaction() as session:
        await lock_people([fetched(1)], session)
        await make_record_handler(ZoneInfo("Europe/Warsaw"))([Delivery(uuid4(), fetched(1))], session)
        erasure = asyncio.create_task(handle(database, erased(ANNA)))
        await wait_until(is_waiting_or_done)
    await erasure
    assert await list_owners(database) == set()
