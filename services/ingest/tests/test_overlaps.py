"""Activities of one person at the same time: pairs that both name each other, whatever arrives first."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_helpers import delete_all, handle, overlapping_pairs

from ingest.recording.rules.overlaps import NEIGHBOURS, Interval, find_changed_overlaps
from shared.contracts.events import ActivityFetched
from shared.database.engine import Database
from testkit.events import JAN, fetched, listed, some_orders, vanished
from testkit.handling import emitted

MORNING = datetime(2026, 5, 2, 6, tzinfo=UTC)


def outing(strava_id: int, minute: float, minutes: float, fetch_seq: int = 1, **fields: Any) -> ActivityFetched:
    """From that minute of the morning on, for so many minutes."""
    start = f"{MORNING + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
    return fetched(strava_id, fetch_seq, **{"start_date": start, "elapsed_time": minutes * 60, **fields})


@pytest.mark.parametrize(
    ("first", "second", "is_pair"),
    [
        (outing(1, 0, 60), outing(2, 10, 20), True),
        (outing(1, 0, 60), outing(2, 56, 60), True),
        (outing(1, 0, 60), outing(2, 57, 60), False),  # three minutes and no more
        (outing(1, 0, 60), outing(2, 60, 60), False),
        (outing(1, 0, 60), outing(2, 0, 60), True),
        (outing(1, 0, 3), outing(2, 0, 60), False),
        (outing(1, 0, 60), outing(2, 10, 20, user_id=JAN), False),
        (outing(1, 0, 60), outing(2, 10, 20, visibility="only_me"), False),
        (outing(1, 0, 60 * 24 * 8), outing(2, 60 * 24 * 7, 20), True),  # forgotten for a week
        (outing(1, 0, 60, sport_type="Run"), outing(2, 10, 20, sport_type="Ride"), True),  # a board may care
    ],
)
async def test_a_pair_shares_more_than_three_minutes(
    database: Database, first: ActivityFetched, second: ActivityFetched, is_pair: bool
) -> None:
    for order in ((first, second), (second, first)):
        for one_by_one in (True, False):
            await delete_all(database)
            await handle(database, *order, one_by_one=one_by_one)
            assert await overlapping_pairs(database) == ({(1, 2)} if is_pair else set())


async def test_the_other_is_told_as_a_revision(database: Database) -> None:
    await handle(database, outing(1, 0, 60))
    await handle(database, outing(2, 10, 60))
    (_, alone), *later = await emitted(database)
    assert alone["overlaps_with"] == []
    assert [(topic, event["strava_id"], event["changed"], event["overlaps_with"]) for topic, event in later] == [
        ("activity.recorded", 2, [], [1]),
        ("activity.revised", 1, ["overlaps_with"], [2]),
    ]


@pytest.mark.parametrize(
    "change",
    [
        vanished(2, 2),
        listed(1, 3, fetch_seq=2),
        outing(2, 300, 60, 2),
        outing(2, 10, 2, 2),
        outing(2, 10, 60, 2, visibility="only_me"),
        outing(2, 10, 60, 2, distance=-1.0),
        fetched(2, 2, start_date="2026-05-02T00:00:01Z", start_date_local="2026-05-02T00:00:01Z", elapsed_time=3600),
        outing(2, 10, 60, 2, user_id=JAN),
    ],
)
async def test_what_is_gone_or_elsewhere_is_a_pair_no_more(database: Database, change: Any) -> None:
    await handle(database, outing(1, 0, 60), outing(2, 10, 60), outing(3, 40, 60))
    assert await overlapping_pairs(database) == {(1, 2), (1, 3), (2, 3)}
    await handle(database, change)
    assert await overlapping_pairs(database) == {(1, 3)}


async def test_what_moves_leaves_one_pair_for_another(database: Database) -> None:
    await handle(database, outing(1, 0, 60), outing(2, 300, 60), outing(3, 30, 60))
    assert await overlapping_pairs(database) == {(1, 3)}
    await handle(database, outing(3, 320, 60, 2, distance=7.0))
    assert await overlapping_pairs(database) == {(2, 3)}
    [event] = [event for topic, event in await emitted(database) if event["changed"] and event["strava_id"] == 3]
    assert event["changed"] == ["start_at", "local_start", "distance_m", "overlaps_with"]


async def test_a_change_of_something_else_leaves_pairs_alone(database: Database) -> None:
    await handle(database, outing(1, 0, 60), outing(2, 10, 60))
    before = len(await emitted(database))
    await handle(database, outing(2, 10, 60, 2, distance=5.0))
    [(_, event)] = (await emitted(database))[before:]
    assert (event["changed"], event["overlaps_with"]) == (["distance_m"], [1])


async def test_in_whatever_order_they_come_the_pairs_are_the_same(database: Database) -> None:
    events = [outing(1, 0, 60), outing(2, 50, 60), outing(3, 100, 60), outing(3, 55, 10, 2)]
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, one_by_one=True)
        assert await overlapping_pairs(database) == {(1, 2), (1, 3), (2, 3)}, order


async def test_of_many_at_one_time_each_is_compared_with_those_next_to_it(database: Database) -> None:
    """So that one who enters the same hour over and over costs no more by the entry."""
    count, rng = 4 * NEIGHBOURS, random.Random(7)
    wanted = {(one, other) for one in range(count) for other in range(one + 1, min(count, one + NEIGHBOURS + 1))}
    events = [outing(one + 1, one, 600) for one in range(count)]
    for attempt in range(2):
        await delete_all(database)
        rng.shuffle(events)
        for at in range(0, count, 7):
            await handle(database, *events[at : at + 7])
        assert await overlapping_pairs(database) == {(one + 1, other + 1) for one, other in wanted}, attempt
    gone = rng.sample(range(1, count + 1), 30)
    await handle(database, *(vanished(one, 2) for one in gone))
    left = [one for one in range(1, count + 1) if one not in gone]
    assert await overlapping_pairs(database) == {
        (left[one], left[other])
        for one in range(len(left))
        for other in range(one + 1, min(len(left), one + NEIGHBOURS + 1))
    }


async def test_a_thousand_at_one_time_change_only_those_next_to_a_new_one(database: Database) -> None:
    for at in range(0, 1_000, 200):
        await handle(database, *(outing(one + 1, one / 60, 600) for one in range(at, at + 200)))
    before = len(await emitted(database))
    await handle(database, outing(2_000, 500 / 60 + 0.005, 600))
    assert len(await emitted(database)) - before <= 2 * NEIGHBOURS + 1


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([4, 5, 30, 3000])), min_size=1, max_size=3 * NEIGHBOURS
)


@given(intervals, st.data())
def test_pairs_that_are_kept_change_by_change_are_those_of_all_at_once(
    drawn: list[tuple[int, int]], data: st.DataObject
) -> None:
    everything = [
        Interval(strava_id=at, start_at=MORNING + timedelta(minutes=start), elapsed_time_s=minutes * 60)
        for at, (start, minutes) in enumerate(drawn)
    ]
    kept: dict[int, Interval] = {}
    for one in data.draw(st.permutations(everything)):
        kept[one.strava_id] = one
        _apply(kept, one)
    for one in data.draw(st.lists(st.sampled_from(everything), unique_by=lambda one: one.strava_id)):
        del kept[one.strava_id]
        _apply(kept, one)
    for one in kept.values():
        assert set(one.overlaps_with) == {other.strava_id for other in kept.values() if _is_pair(kept, one, other)}


def _position(one: Interval) -> tuple[datetime, int]:
    return one.start_at, one.strava_id


def _apply(kept: dict[int, Interval], changed: Interval) -> None:
    ordered = sorted(kept.values(), key=_position)
    before = [one for one in ordered if _position(one) < _position(changed)][-2 * NEIGHBOURS :]
    after = [one for one in ordered if _position(one) > _position(changed)][: 2 * NEIGHBOURS]
    for strava_id, overlaps in find_changed_overlaps(before, kept.get(changed.strava_id), after).items():
        one = kept[strava_id]
        kept[strava_id] = Interval(
            strava_id=strava_id, start_at=one.start_at, elapsed_time_s=one.elapsed_time_s, overlaps_with=overlaps
        )


def _is_pair(kept: dict[int, Interval], one: Interval, other: Interval) -> bool:
    places = {each.strava_id: at for at, each in enumerate(sorted(kept.values(), key=_position))}
    begin = max(one.start_at, other.start_at)
    end = min(each.start_at + timedelta(seconds=each.elapsed_time_s) for each in (one, other))
    is_near = 0 < abs(places[one.strava_id] - places[other.strava_id]) <= NEIGHBOURS
    return is_near and end - begin > timedelta(minutes=3)
