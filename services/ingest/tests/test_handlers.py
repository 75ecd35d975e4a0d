"""The record of activities, on a real database."""

import asyncio
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from ingest_helpers import delete_all, distances_by_version, handle, recorded_distances, rejected_fetches, unusable
from sqlalchemy import text

from ingest.main import make_handlers
from shared.contracts.events import Event
from shared.database.engine import Database
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor
from testkit.databases import fetch_rows
from testkit.events import FETCHED_AT, fetched, fetched_page, listed, some_orders, vanished
from testkit.handling import emitted


async def test_a_new_activity_is_recorded_and_told_with_its_fields(database: Database) -> None:
    await handle(
        database, fetched(2**53 + 1, distance=1234.565, moving_time=60, timezone="(GMT+01:00) Europe/Warsaw")
    )
    [(topic, event)] = await emitted(database)
    assert topic == "activity.recorded"
    assert (event["strava_id"], event["reason"]) == (2**53 + 1, "fetched")
    assert (event["distance_m"], event["elapsed_time_s"]) == (1234.56, 60)
    assert (event["start_at"], event["local_start"]) == ("2026-05-01T06:00:00Z", "2026-05-01T08:00:00")


async def test_the_same_again_tells_nothing(database: Database) -> None:
    await handle(database, fetched(fetch_seq=1))
    await handle(database, fetched(fetch_seq=1), fetched(fetch_seq=2), fetched(fetch_seq=2))
    [(_, event)] = await emitted(database)
    [row] = await fetch_rows(database, "select version, fetch_seq from activities")
    assert (row.version, row.fetch_seq) == (event["version"], 2)


async def test_a_message_that_comes_twice_has_one_effect(database: Database) -> None:
    delivery = Delivery(uuid4(), fetched())
    processor = InboxProcessor("ingest.activity", database, make_handlers(ZoneInfo("Europe/Warsaw")))
    await processor.process([delivery, delivery])
    await processor.process([delivery])
    assert len(await emitted(database)) == 1


async def test_a_change_is_told_as_a_revision(database: Database) -> None:
    await handle(database, fetched(fetch_seq=1))
    await handle(database, fetched(fetch_seq=2, distance=2000.0))
    (_, first), (topic, event) = await emitted(database)
    assert (topic, event["distance_m"]) == ("activity.revised", 2000.0)
    assert event["version"] > first["version"]


@pytest.mark.parametrize(
    "changed",
    [
        {"sport_type": "Ride"},
        {"trainer": True},
        {"visibility": "followers_only"},
        {"flagged": True},
        {"start_date": "2026-05-02T06:00:00Z"},
    ],
)
async def test_any_field_can_change(database: Database, changed: dict[str, object]) -> None:
    await handle(database, fetched(fetch_seq=1))
    await handle(database, fetched(fetch_seq=2, **changed))
    assert (await emitted(database))[-1][0] == "activity.revised"


async def test_an_older_fetch_that_comes_late_changes_nothing(database: Database) -> None:
    await handle(database, fetched(fetch_seq=2, distance=2000.0))
    await handle(database, fetched(fetch_seq=1, distance=1000.0))
    assert await recorded_distances(database) == {1: 2000.0}
    assert len(await emitted(database)) == 1


async def test_of_one_activity_twice_in_a_batch_the_newest_counts(database: Database) -> None:
    await handle(
        database,
        fetched(fetch_seq=3, distance=3.0),
        fetched(fetch_seq=1, distance=1.0),
        fetched(fetch_seq=2, distance=2.0),
    )
    assert await recorded_distances(database) == {1: 3.0}
    assert len(await emitted(database)) == 1


async def test_what_a_listing_does_not_name_is_removed_and_told(database: Database) -> None:
    await handle(database, fetched(1), fetched(2), fetched(3, user_id=UUID(int=9)))
    await handle(database, fetched(1, fetch_seq=2), listed(1, fetch_seq=2))
    assert await recorded_distances(database) == {1: 1000.0, 3: 1000.0}
    *before, (topic, event) = await emitted(database)
    assert (topic, event["strava_id"]) == ("activity.removed", 2)
    assert event["version"] > max(earlier["version"] for _, earlier in before)


async def test_what_is_listed_again_is_restored_under_a_higher_version(database: Database) -> None:
    await handle(database, fetched(1))
    await handle(database, listed(fetch_seq=2))
    await handle(database, fetched(1, fetch_seq=3), listed(1, fetch_seq=3))
    (_, first), (_, second), (topic, event) = await emitted(database)
    assert (topic, event["reason"]) == ("activity.recorded", "restored")
    assert first["version"] < second["version"] < event["version"]
    assert await recorded_distances(database) == {1: 1000.0}


async def test_a_listing_that_fetches_have_overtaken_removes_nothing_newer(database: Database) -> None:
    await handle(database, fetched(1), fetched(2, fetch_seq=2))
    await handle(database, listed(1, fetch_seq=1))
    assert await recorded_distances(database) == {1: 1000.0, 2: 1000.0}


async def test_a_fetch_that_a_listing_has_overtaken_is_out_of_date(database: Database) -> None:
    await handle(database, listed(fetch_seq=2))
    await handle(database, fetched(1, fetch_seq=1), unusable(2, fetch_seq=1))
    assert await recorded_distances(database) == {}
    assert await rejected_fetches(database) == {}
    assert await emitted(database) == []


async def test_a_listing_says_nothing_beyond_its_window(database: Database) -> None:
    before, after = "2026-04-01T00:00:00Z", "2026-06-01T00:00:00Z"
    window = {"after": FETCHED_AT.replace(day=1)}
    await handle(database, fetched(1, start_date=before), fetched(2), fetched(3, start_date=after))
    await handle(database, listed(fetch_seq=2, **window))
    assert set(await recorded_distances(database)) == {1, 3}
    await handle(database, fetched(4, start_date=before), fetched(5), fetched(6, start_date=after))
    assert set(await recorded_distances(database)) == {1, 3, 4, 6}


async def test_only_listings_that_still_say_something_are_kept(database: Database) -> None:
    for fetch_seq, day in ((1, 5), (2, None), (3, 3), (4, 4), (5, 2)):
        await handle(database, listed(fetch_seq=fetch_seq, after=FETCHED_AT.replace(day=day) if day else None))
    assert [row.fetch_seq for row in await fetch_rows(database, "select fetch_seq from listings order by 1")] == [
        2,
        5,
    ]


async def test_what_cannot_be_recorded_is_kept_with_its_reason(database: Database) -> None:
    await handle(database, unusable(1), fetched(2, malformed=("distance",)), fetched(3))
    reasons = {row.strava_id: row.reason for row in await fetch_rows(database, "select * from rejected")}
    assert reasons == {
        1: "distance is out of range",
        2: "of another type than Strava documents: distance",
    }
    assert set(await recorded_distances(database)) == {3}
    assert len(await emitted(database)) == 1


async def test_numbers_that_are_none_are_rejected_and_cost_nobody_else_anything(database: Database) -> None:
    await handle(database, fetched(1, distance=float("nan")), fetched(2, elapsed_time=float("inf")), fetched(3))
    assert set(await recorded_distances(database)) == {3}
    assert set(await rejected_fetches(database)) == {1, 2}


async def test_a_rejected_activity_that_becomes_good_is_recorded(database: Database) -> None:
    await handle(database, unusable(fetch_seq=1))
    await handle(database, fetched(fetch_seq=2))
    assert await rejected_fetches(database) == {}
    assert await recorded_distances(database) == {1: 1000.0}


async def test_an_activity_that_becomes_nonsense_is_not_on_record_any_more(database: Database) -> None:
    await handle(database, fetched(fetch_seq=1))
    await handle(database, unusable(fetch_seq=2))
    await handle(database, unusable(fetch_seq=3))
    assert await recorded_distances(database) == {}
    assert await rejected_fetches(database) == {1: 3}
    assert [topic for topic, _ in await emitted(database)] == ["activity.recorded", "activity.removed"]
    await handle(database, fetched(fetch_seq=4))
    versions = [event["version"] for _, event in await emitted(database)]
    assert len(versions) == 3
    assert versions == sorted(set(versions))


async def test_what_was_rejected_and_is_gone_is_forgotten(database: Database) -> None:
    await handle(database, unusable(1), unusable(2))
    await handle(database, listed(2, fetch_seq=2))
    assert await rejected_fetches(database) == {2: 1}


@pytest.mark.parametrize(
    ("events", "metres", "unrecorded"),
    [
        (
            (fetched(1, 1), fetched(1, 2, distance=2.0), fetched(1, 3), fetched(2, 2), listed(1, 2, fetch_seq=2)),
            {1: 1000.0, 2: 1000.0},
            {},
        ),
        ((fetched(1, 1), listed(1, fetch_seq=1), fetched(2, 2), listed(2, fetch_seq=2)), {2: 1000.0}, {}),
        ((fetched(1, 1), vanished(1, 2), fetched(2, 1), unusable(3, 1), vanished(3, 2)), {2: 1000.0}, {}),
        ((fetched(1, 1), vanished(1, 2), fetched(1, 3, distance=3.0)), {1: 3.0}, {}),
        (
            (fetched_page(1, 2, 3, fetch_seq=1), fetched_page(3, 2, fetch_seq=3), vanished(1, 2), vanished(2, 2)),
            {2: 1000.0, 3: 1000.0},
            {},
        ),
        (
            (fetched(1, 1), listed(fetch_seq=2), fetched(1, 3, distance=3.0), listed(1, fetch_seq=3), unusable(2, 1)),
            {1: 3.0},
            {},
        ),
        ((fetched(1, 1), unusable(1, 2), listed(1, fetch_seq=2), fetched(2, 1)), {}, {1: 2}),
        ((unusable(1, 1), fetched(1, 2), unusable(1, 3), fetched(1, 4), listed(1, fetch_seq=4)), {1: 1000.0}, {}),
        (
            (
                fetched(1, 1),
                fetched(2, 1),
                listed(1, fetch_seq=2, after=FETCHED_AT.replace(day=1)),
                fetched(1, 2),
                listed(fetch_seq=3),
            ),
            {},
            {},
        ),
    ],
)
async def test_in_whatever_order_events_come_the_record_is_the_same(
    database: Database, events: tuple[Event, ...], metres: dict[int, float], unrecorded: dict[int, int]
) -> None:
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        assert distances_by_version(await emitted(database)) == await recorded_distances(database), order
        assert (await recorded_distances(database), await rejected_fetches(database)) == (metres, unrecorded), order
    await delete_all(database)
    await handle(database, *reversed(events))
    assert (await recorded_distances(database), await rejected_fetches(database)) == (metres, unrecorded)


async def test_replicas_at_once_agree_and_do_not_deadlock(database: Database) -> None:
    ids = range(1, 61)
    batches = [
        [fetched(i, 1) for i in ids],
        [fetched(i, 2, distance=2.0) for i in reversed(ids)],
        [listed(*ids[:30], fetch_seq=3)],
        [unusable(i, 2) for i in ids[20:40]],
        [fetched(i, 3, distance=3.0) for i in ids[:30]],
    ]
    await asyncio.gather(*(handle(database, *batch) for batch in batches))
    assert await recorded_distances(database) == dict.fromkeys(ids[:30], 3.0)
    assert distances_by_version(await emitted(database)) == await recorded_distances(database)


async def test_one_user_does_not_hide_the_activities_of_another(database: Database) -> None:
    await handle(database, listed(fetch_seq=9))
    await handle(database, fetched(1, fetch_seq=1, user_id=UUID(int=2)))
    assert await recorded_distances(database) == {1: 1000.0}


async def test_versions_after_a_restore_are_above_all_that_others_were_told(database: Database) -> None:
    await handle(
        database,
        *(fetched(fetch_seq=fetch_seq, distance=float(fetch_seq)) for fetch_seq in range(1, 4)),
        one_by_one=True,
    )
    before = (await emitted(database))[-1][1]["version"]
    async with database.transaction() as session:
        await session.execute(text("update activities set version = 1, fetch_seq = 1, distance_m = 1"))  # a backup
    for later in (
        fetched(fetch_seq=4, distance=4.0),
        listed(fetch_seq=5),
        fetched(fetch_seq=6),
        unusable(fetch_seq=7),
    ):
        await handle(database, later)
        topic, event = (await emitted(database))[-1]
        assert event["version"] > before, topic
        before = event["version"]


async def test_an_activity_goes_with_its_athlete_to_the_user_that_they_are_now(database: Database) -> None:
    """Somebody was erased and joined again, and the former self is not erased here yet."""
    former, present = UUID(int=1), UUID(int=2)
    await handle(database, fetched(fetch_seq=5, user_id=former), listed(1, fetch_seq=6, user_id=former))
    await handle(database, fetched(fetch_seq=7, user_id=present), listed(1, fetch_seq=7, user_id=present))
    topic, event = (await emitted(database))[-1]
    assert (topic, event["user_id"]) == ("activity.revised", str(present))
    [row] = await fetch_rows(database, "select user_id from activities")
    assert row.user_id == present
    await handle(database, listed(fetch_seq=8, user_id=former))
    assert set(await recorded_distances(database)) == {1}
