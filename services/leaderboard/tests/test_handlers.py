"""Standings, on a real database."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from leaderboard_helpers import (
    MAY,
    add_challenge,
    build,
    clear_outbox,
    delete_all,
    emitted_changes,
    handle,
    list_standings,
    metres,
)
from sqlalchemy import text

from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people, score_activities
from leaderboard.standings.queries import add_board_changes, take_board_changes
from leaderboard.standings.use_cases import announce_changes
from leaderboard.versions.use_cases import begin_rebuild
from shared.contracts.events import Event
from shared.database.engine import Database
from testkit import handling
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded, removed, revised, some_orders
from testkit.waiting import wait_until


async def rebuild(database: Database) -> None:
    assert await begin_rebuild(database)
    await build(database)


async def test_activities_add_up_exactly_and_are_told(database: Database) -> None:
    await add_challenge(database)
    await clear_outbox(database)
    await handle(database, recorded(1, km=0.1), recorded(2, km=0.2, day=2), recorded(3, sport_type="Ride", day=3))
    assert await list_standings(database) == {
        ("running", 1): (Decimal("300.00"), 6000, Decimal("20.20"), 2),
        ("cycling", 1): (Decimal("10000.00"), 3000, Decimal("10.10"), 1),
    }
    assert [boards for boards, _ in await emitted_changes(database)] == [("cycling", "running")]


async def test_what_changes_nothing_tells_nothing(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    await clear_outbox(database)
    await handle(database, recorded(1), recorded(2, sport_type="Swim"), recorded(3, day=60), removed(99))
    await handle(database, revised(1, version=2, km=10.0, visibility="followers_only"))
    assert await emitted_changes(database) == []


async def test_only_the_boards_that_changed_are_told(database: Database) -> None:
    await add_challenge(database)
    await clear_outbox(database)
    await handle(database, recorded(1, sport_type="Ride"))
    assert [boards for boards, _ in await emitted_changes(database)] == [("cycling",)]


async def test_a_removed_activity_leaves_nothing_behind(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    await handle(database, removed(1))
    assert await list_standings(database) == {}
    await handle(database, recorded(1, version=3, reason="restored"))
    assert await metres(database) == {("running", 1): Decimal(10000)}


async def test_an_activity_that_changes_sport_changes_board(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1), revised(1, sport_type="Ride"))
    assert await metres(database) == {("cycling", 1): Decimal(20000)}


async def test_removing_the_longer_duplicate_lets_the_other_count(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1, km=10.0), recorded(2, km=9.0))
    assert await metres(database) == {("running", 1): Decimal(10000)}
    await handle(database, removed(1))
    assert await metres(database) == {("running", 1): Decimal(9000)}


async def test_ids_and_totals_may_be_large(database: Database) -> None:
    await add_challenge(database)
    big = [recorded(2**63 - n, day=n, km=50_000.0, moving_time_s=31_000_000) for n in range(1, 31)]
    big = [event.model_copy(update={"elapsed_time_s": 60}) for event in big]
    await handle(database, *big)
    [(metres_, seconds, _, count)] = (await list_standings(database)).values()
    assert (metres_, seconds, count) == (Decimal(1_500_000_000), 930_000_000, 30)


@pytest.mark.parametrize(
    ("events", "ran_km"),
    [
        ((recorded(1), revised(1, 2, km=20.0), removed(1, 3), recorded(1, 4, km=40.0), authorized()), {ANNA: 40}),
        ((recorded(1), removed(1), recorded(2, km=9.0), authorized(), recorded(3, user_id=JAN)), {ANNA: 9, JAN: 10}),
        (
            (
                recorded(1, km=10.0),
                recorded(2, km=9.0),
                recorded(3, km=8.0, day=2),
                removed(1),
                revised(2, 2, day=40),
            ),
            {ANNA: 8},
        ),
        (
            (authorized(name="Old", minute=1), authorized(name="New", minute=2), authorized(minute=0), recorded(1)),
            {ANNA: 10},
        ),
        ((removed(1, 2), recorded(1, 1), removed(1, 4), recorded(1, 3)), {}),
    ],
)
async def test_in_whatever_order_events_come_the_standings_are_the_same_and_a_rebuild_changes_nothing(
    database: Database, events: tuple[Event, ...], ran_km: dict[UUID, int]
) -> None:
    await add_challenge(database)
    outcomes = []
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        assert await metres(database) == {("running", user.int): km * 1000 for user, km in ran_km.items()}, order
        people = await fetch_rows(database, "select user_id, display_name, joined_at from participants")
        outcomes.append((await list_standings(database), people))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    await rebuild(database)
    assert await list_standings(database) == outcomes[0][0]
    await delete_all(database)
    await handle(database, *reversed(events))
    assert await list_standings(database) == outcomes[0][0]


async def test_batches_at_once_agree_and_do_not_deadlock(database: Database) -> None:
    await add_challenge(database)
    await clear_outbox(database)
    users = [UUID(int=n) for n in range(1, 6)]
    batches = [
        [recorded(10 * u.int + n, user_id=u, day=n) for u in users for n in range(1, 6)],
        [revised(10 * u.int + n, user_id=u, day=n, km=20.0) for u in reversed(users) for n in range(1, 4)],
        [removed(10 * u.int + 5, user_id=u) for u in users],
        [
            one
            for u in reversed(users)
            for one in (removed(10 * u.int + 4, user_id=u), recorded(10 * u.int + 6, user_id=u, day=6))
        ],
    ]
    await asyncio.gather(*(handle(database, *batch) for batch in batches))
    assert await metres(database) == {("running", u.int): Decimal(70000) for u in users}
    revisions = [revision for _, revision in await emitted_changes(database)]
    assert revisions == sorted(set(revisions))


async def test_somebody_who_joins_while_they_are_scored_is_told_of(database: Database) -> None:
    await add_challenge(database)
    for number in range(10):
        await delete_all(database)
        user_id = UUID(int=100 + number)
        await asyncio.gather(handle(database, authorized(user_id)), handle(database, recorded(1, user_id=user_id)))
        last = (await emitted_changes(database))[-1][1]
        [row] = await fetch_rows(database, "select revision from challenges")
        assert last == row.revision
        # Whoever came second saw the other and told, so that what web fetches then is complete.
        assert len(await fetch_rows(database, "select 1 from participants join standings using (user_id)")) == 2


async def test_a_newcomer_with_activities_and_a_new_name_are_told(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    await clear_outbox(database)
    await handle(database, authorized())
    await handle(database, authorized(name="Ania", minute=5))
    await handle(database, authorized(name="Ania", minute=6), authorized(JAN, "Jan"))
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)] * 2
    names = await fetch_rows(database, "select display_name from participants order by user_id")
    assert [row.display_name for row in names] == ["Ania", "Jan"]


async def test_a_challenge_moved_to_other_days_is_scored_anew_and_told(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1, day=1), recorded(2, day=20), recorded(3, day=1, user_id=JAN))
    await clear_outbox(database)
    await add_challenge(database, (date(2026, 5, 15), date(2026, 5, 31)))
    assert await metres(database) == {("running", ANNA.int): Decimal(10000)}
    assert await emitted_changes(database)
    await add_challenge(database, MAY)
    assert len(await metres(database)) == 2


async def test_a_new_name_of_the_challenge_is_told(database: Database) -> None:
    await add_challenge(database)
    await clear_outbox(database)
    await add_challenge(database)
    assert await emitted_changes(database) == []
    await add_challenge(database, name="Maj")
    assert [boards for boards, _ in await emitted_changes(database)] == [("cycling", "running")]


async def test_replicas_that_start_together_make_one_challenge(database: Database) -> None:
    await asyncio.gather(*(add_challenge(database) for _ in range(4)))
    assert len(await fetch_rows(database, "select 1 from challenges")) == 1
    assert len(await fetch_rows(database, "select 1 from boards")) == 3


async def test_without_days_a_challenge_takes_the_month_once(database: Database) -> None:
    await add_challenge(database)
    await add_challenge(database, None, name="Other")
    [row] = await fetch_rows(database, "select name, first_day from challenges")
    assert (row.name, row.first_day) == ("May", MAY[0])


async def test_a_rebuild_of_many_people_goes_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.versions.use_cases.BUILD_BATCH", 2)
    await add_challenge(database)
    await handle(database, *(recorded(n, user_id=UUID(int=n)) for n in range(1, 6)))
    before = await list_standings(database)
    await rebuild(database)
    assert await list_standings(database) == before
    assert len(before) == 5


async def test_revisions_after_a_restore_are_above_all_that_others_were_told(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1), recorded(2), one_by_one=True)
    before = (await emitted_changes(database))[-1][1]
    async with database.transaction() as session:
        await session.execute(text("update challenges set revision = 0"))  # as in a backup
    await handle(database, recorded(3, day=3))
    assert (await emitted_changes(database))[-1][1] > before


async def test_an_activity_that_goes_to_another_user_counts_for_them_alone(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(ANNA), authorized(JAN), recorded(1, 1, ANNA))
    await handle(database, revised(1, 2, JAN, km=10.0))
    assert set(await metres(database)) == {("running", JAN.int)}
    await handle(database, removed(1, 3, ANNA))  # whom the one who tells it takes for the owner
    assert await metres(database) == {}


async def test_changes_of_several_transactions_are_announced_together(database: Database) -> None:
    await add_challenge(database)
    await clear_outbox(database)
    for user in (ANNA, JAN):
        events = (recorded(user.int, user_id=user), recorded(10 + user.int, user_id=user, sport_type="Ride", day=2))
        await handling.handle(database, "leaderboard.activity", ACTIVITY_HANDLERS, *events, prepare=lock_people)
    assert await emitted_changes(database) == []
    await announce_changes(database, datetime.now(UTC))
    await announce_changes(database, datetime.now(UTC))
    assert [boards for boards, _ in await emitted_changes(database)] == [("cycling", "running")]


async def test_replicas_that_announce_at_once_leave_no_change_untold_and_tell_none_twice(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    await clear_outbox(database)
    async with database.transaction() as session:
        [board_id] = (await session.execute(text("select id from boards where slug = 'running'"))).scalars()
        await add_board_changes(session, [board_id])
    async with database.transaction() as session:  # another replica, in the middle of it
        assert await take_board_changes(session, 10) == {board_id}
        await asyncio.wait_for(announce_changes(database, datetime.now(UTC)), 5)
        assert await emitted_changes(database) == []
        await session.rollback()  # it is killed
    await asyncio.gather(*(announce_changes(database, datetime.now(UTC)) for _ in range(4)))
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)]


async def test_a_batch_waits_for_another_about_the_same_person_and_for_nobody_else(database: Database) -> None:
    await add_challenge(database)
    async with database.transaction() as session:  # another replica, in the middle of a batch
        await lock_people([recorded(1)], session)
        await asyncio.wait_for(handle(database, recorded(2, user_id=JAN)), 5)
        waiting = asyncio.create_task(handle(database, recorded(3, day=3)))
        await wait_until(lambda: has_waiting_lock(database))
        assert set(await metres(database)) == {("running", JAN.int)}
    await waiting
    assert set(await metres(database)) == {("running", JAN.int), ("running", ANNA.int)}


async def test_what_goes_to_another_user_waits_for_a_batch_about_its_former_owner(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    async with database.transaction() as session:
        await lock_people([recorded(2)], session)
        moving = asyncio.create_task(handle(database, revised(1, 2, JAN, km=10.0)))
        await wait_until(lambda: has_waiting_lock(database))
        await score_activities([recorded(2, day=2)], session)
    await moving
    assert await metres(database) == {("running", ANNA.int): Decimal(10000), ("running", JAN.int): Decimal(10000)}


async def has_waiting_lock(database: Database) -> bool:
    return bool(await fetch_rows(database, "select 1 from pg_locks where locktype = 'advisory' and not granted"))
