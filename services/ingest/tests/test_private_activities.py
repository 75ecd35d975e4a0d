"""What only its owner sees at Strava is recorded only where the owner chose so."""

from typing import Any

from ingest_helpers import delete_all, handle, recorded_distances

from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, erased, fetched, listed, privacy_changed, some_orders
from testkit.handling import emitted

HIDDEN: dict[str, Any] = {"visibility": "only_me"}


async def test_by_default_nothing_of_them_is_stored_or_told(database: Database) -> None:
    await handle(database, fetched(1, **HIDDEN), listed(1))
    assert await emitted(database) == []
    [row] = await fetch_rows(database, "select state, version, distance_m, start_at from activities")
    assert tuple(row) == ("private", None, None, None)


async def test_whoever_chose_so_has_them_recorded_with_their_visibility(database: Database) -> None:
    await handle(database, privacy_changed(ANNA, private_activities=True))
    await handle(database, fetched(1, **HIDDEN), fetched(2, user_id=JAN, **HIDDEN))
    [(topic, event)] = await emitted(database)
    assert (topic, event["strava_id"], event["visibility"]) == ("activity.recorded", 1, "only_me")


async def test_they_are_recorded_from_their_next_fetch_on(database: Database) -> None:
    await handle(database, fetched(1, 1, **HIDDEN), privacy_changed(ANNA, private_activities=True))
    assert await recorded_distances(database) == {}
    await handle(database, fetched(1, 2, **HIDDEN))
    assert await recorded_distances(database) == {1: 1000.0}


async def test_whoever_changes_their_mind_has_them_removed_at_once(database: Database) -> None:
    await handle(database, privacy_changed(ANNA, 1, private_activities=True))
    await handle(database, fetched(1, **HIDDEN), fetched(2))
    await handle(database, privacy_changed(ANNA, 2, private_activities=False))
    topic, event = (await emitted(database))[-1]
    assert (topic, event["strava_id"], event["reason"]) == ("activity.removed", 1, "private")
    assert await recorded_distances(database) == {2: 1000.0}


async def test_what_becomes_private_leaves_the_record_and_comes_back_when_it_is_shown_again(
    database: Database,
) -> None:
    await handle(database, fetched(1, 1), fetched(1, 2, **HIDDEN), fetched(1, 3), one_by_one=True)
    told = [(topic, event["reason"]) for topic, event in await emitted(database)]
    assert told == [
        ("activity.recorded", "fetched"),
        ("activity.removed", "private"),
        ("activity.recorded", "restored"),
    ]


async def test_what_is_late_about_the_time_before_it_became_private_brings_nothing_back(database: Database) -> None:
    await handle(database, fetched(1, 2, **HIDDEN), fetched(1, 1), one_by_one=True)
    assert await emitted(database) == []


async def test_the_latest_choice_holds_in_whatever_order_they_come(database: Database) -> None:
    choices = [privacy_changed(ANNA, minute, private_activities=minute != 2) for minute in (1, 2, 3)]
    for order in some_orders(choices):
        await delete_all(database)
        await handle(database, *order, fetched(1, **HIDDEN), one_by_one=True)
        assert await recorded_distances(database) == {1: 1000.0}, order


async def test_a_choice_of_somebody_who_was_erased_is_forgotten(database: Database) -> None:
    choice = privacy_changed(ANNA, private_activities=True)
    for order in ((choice, erased(ANNA)), (erased(ANNA), choice)):
        await delete_all(database)
        await handle(database, *order, one_by_one=True)
        [row] = await fetch_rows(database, "select private_activities from people")
        assert row.private_activities is False
