"""Strava's quirks, as far as they concern facts: what the record makes of each."""

from datetime import timedelta
from typing import Any

import pytest
from ingest_helpers import handle, overlapping_pairs, recorded_distances, rejected_fetches

from shared.contracts.events import ActivityFetched
from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import FETCHED_AT, fetched, fetched_page, listed, vanished
from testkit.handling import emitted

HOUR_S = 3600


async def newest_event(database: Database) -> tuple[str, dict[str, Any]]:
    return (await emitted(database))[-1]


async def test_an_upload_that_is_late_belongs_to_the_day_on_which_it_started(database: Database) -> None:
    await handle(database, fetched(9, 1, start_date="2026-05-19T06:00:00Z"), listed(9, fetch_seq=1))
    await handle(database, fetched(10, 2, start_date="2026-05-02T06:00:00Z"))
    assert (await newest_event(database))[1]["local_start"] == "2026-05-02T08:00:00"


async def test_an_edit_that_strava_does_not_tell_of_is_found_by_its_content(database: Database) -> None:
    await handle(database, fetched(1, 1, distance=5000.0))
    await handle(database, fetched(1, 2, distance=4000.0, elapsed_time=60))
    topic, event = await newest_event(database)
    assert (topic, event["changed"]) == ("activity.revised", ["distance_m", "moving_time_s", "elapsed_time_s"])


@pytest.mark.parametrize("reason", ["deleted", "not_found"])
async def test_a_deletion_is_told_by_a_webhook_or_by_asking(database: Database, reason: Any) -> None:
    await handle(database, fetched(1, 1), vanished(1, 2, reason=reason))
    topic, event = await newest_event(database)
    assert (topic, event["reason"]) == ("activity.removed", reason)


async def test_a_deletion_that_nothing_told_of_is_found_by_a_listing(database: Database) -> None:
    await handle(database, fetched_page(1, 2), listed(2, fetch_seq=2))
    topic, event = await newest_event(database)
    assert (topic, event["strava_id"], event["reason"]) == ("activity.removed", 1, "not_listed")


async def test_ids_have_64_bits(database: Database) -> None:
    await handle(database, fetched(2**63 - 1), fetched(154504250376823))
    assert set(await recorded_distances(database)) == {2**63 - 1, 154504250376823}


async def test_the_false_z_is_not_believed_and_the_zone_is_read_behind_its_label(database: Database) -> None:
    summer = {"start_date": "2026-07-01T20:00:00Z", "timezone": "(GMT-05:00) America/New_York"}
    await handle(database, fetched(1, **summer, start_date_local="2026-07-01T16:00:00Z"), fetched(2, **summer))
    starts = {(event["start_at"], event["local_start"]) for _, event in await emitted(database)}
    assert starts == {("2026-07-01T20:00:00Z", "2026-07-01T16:00:00")}


def hidden_start(strava_id: int, fetch_seq: int = 1, day: int = 2) -> ActivityFetched:
    """As Strava writes both starts when the athlete hides them."""
    start = f"2026-05-{day:02}T00:00:01Z"
    return fetched(strava_id, fetch_seq, start_date=start, start_date_local=start, elapsed_time=HOUR_S)


async def test_activities_with_a_hidden_start_overlap_nothing(database: Database) -> None:
    await handle(database, hidden_start(1), hidden_start(2))
    await handle(database, fetched(3, start_date="2026-05-02T00:10:00Z", elapsed_time=HOUR_S))
    assert await overlapping_pairs(database) == set()


async def test_a_hidden_start_may_lie_beyond_the_edge_of_a_listing(database: Database) -> None:
    edge = FETCHED_AT.replace(day=2)
    await handle(database, hidden_start(1), fetched(2, start_date="2026-05-02T03:00:00Z"))
    await handle(database, listed(fetch_seq=2, after=edge))
    assert set(await recorded_distances(database)) == {1}
    await handle(database, listed(fetch_seq=3, after=edge - timedelta(days=1)))
    assert await recorded_distances(database) == {}


async def test_a_listing_says_nothing_of_the_second_at_its_edge(database: Database) -> None:
    await handle(database, fetched(1, start_date="2026-05-02T00:00:00Z"))
    await handle(database, listed(fetch_seq=2, after=FETCHED_AT.replace(day=2)))
    assert set(await recorded_distances(database)) == {1}


async def test_followers_see_what_everybody_may_hear_of_and_private_ones_are_not_recorded(database: Database) -> None:
    for strava_id, visibility in enumerate(("everyone", "followers_only", "only_me"), 1):
        await handle(database, fetched(strava_id, visibility=visibility))
    await handle(database, fetched(4, private=True))
    assert {event["strava_id"]: event["visibility"] for _, event in await emitted(database)} == {
        1: "everyone",
        2: "followers_only",
    }


async def test_what_strava_flagged_says_so(database: Database) -> None:
    await handle(database, fetched(1, flagged=True))
    assert (await newest_event(database))[1]["flagged"] is True
    await handle(database, fetched(1, 2, flagged=False))
    topic, event = await newest_event(database)
    assert (topic, event["flagged"], event["changed"]) == ("activity.revised", False, ["flagged"])


async def test_moving_may_take_a_second_longer_than_everything(database: Database) -> None:
    await handle(database, fetched(1, moving_time=601, elapsed_time=600))
    _, event = await newest_event(database)
    assert (event["moving_time_s"], event["elapsed_time_s"], event["suspicions"]) == (601, 600, [])


async def test_a_manual_entry_is_an_activity_that_lacks_much(database: Database) -> None:
    await handle(database, fetched(1, manual=True, sport_type="Swim", distance=1500.0, total_elevation_gain=0))
    _, event = await newest_event(database)
    assert (event["manual"], event["elev_gain_m"], event["moving_time_s"]) == (True, 0.0, 0)


async def test_two_devices_on_one_outing_are_a_pair(database: Database) -> None:
    watch = fetched(1, start_date="2026-05-02T06:00:00Z", elapsed_time=HOUR_S, distance=9_900.0)
    bike_computer = fetched(2, start_date="2026-05-02T06:00:30Z", elapsed_time=HOUR_S, distance=10_000.0)
    await handle(database, watch, bike_computer)
    assert await overlapping_pairs(database) == {(1, 2)}


@pytest.mark.parametrize(
    "sport_type", ["VirtualRide", "VirtualRun", "VirtualRow", "EBikeRide", "EMountainBikeRide", "Padel", "Quidditch"]
)
async def test_virtual_electric_new_and_unknown_sports_are_recorded_under_their_names(
    database: Database, sport_type: str
) -> None:
    await handle(database, fetched(1, sport_type=sport_type, type="Workout"))
    assert (await newest_event(database))[1]["sport_type"] == sport_type


async def test_an_hour_on_rollers_covers_no_distance(database: Database) -> None:
    await handle(database, fetched(1, sport_type="Ride", trainer=True, distance=0.0, moving_time=HOUR_S))
    _, event = await newest_event(database)
    assert (event["trainer"], event["distance_m"], event["suspicions"]) == (True, 0.0, [])


async def test_one_activity_that_makes_no_sense_does_not_cost_the_page(database: Database) -> None:
    page = fetched_page(1, 2, 3)
    broken = page.activities[1].model_copy(update={"distance": -1.0})
    await handle(database, page.model_copy(update={"activities": (page.activities[0], broken, page.activities[2])}))
    assert set(await recorded_distances(database)) == {1, 3}
    assert await rejected_fetches(database) == {2: 1}


async def test_an_activity_that_strava_did_not_find_at_first_is_recorded_when_it_does(database: Database) -> None:
    await handle(database, vanished(1, 1, reason="not_found"), fetched(1, 2))
    [(topic, event)] = await emitted(database)
    assert (topic, event["reason"]) == ("activity.recorded", "fetched")


async def test_nothing_of_what_is_gone_remains_but_its_id(database: Database) -> None:
    await handle(database, fetched(1, 1), fetched(2, 1), fetched(3, 1), fetched(4, 1))
    await handle(database, vanished(1, 2), fetched(2, 2, private=True), fetched(3, 2, distance=-1.0))
    await handle(database, listed(1, 2, 3, fetch_seq=3))
    rows = await fetch_rows(database, "select * from activities order by strava_id")
    assert [(row.strava_id, row.state, row.reason) for row in rows] == [
        (1, "removed", "deleted"),
        (2, "private", "private"),
        (3, "rejected", "unreadable"),
        (4, "removed", "not_listed"),
    ]
    for row in rows:
        facts = [row.sport_type, row.start_at, row.local_start, row.distance_m, row.elev_gain_m, row.visibility]
        assert facts == [None] * len(facts)
