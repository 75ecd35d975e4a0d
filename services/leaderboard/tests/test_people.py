"""Names and erasure of participants, on a real database."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest
from leaderboard_helpers import add_challenge, clear_outbox, delete_all, emitted_changes, handle, metres

from shared.contracts.events import Event
from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import (
    ANNA,
    AUTHORIZED_AT,
    JAN,
    authorized,
    erased,
    recorded,
    removed,
    renamed,
    revised,
    some_orders,
)

ANNA_AGAIN = UUID(int=9)  # the same athlete, who joined again


async def list_names(database: Database) -> dict[UUID, str]:
    rows = await fetch_rows(database, "select user_id, display_name from participants")
    return {row.user_id: row.display_name for row in rows}


async def list_owners(database: Database) -> dict[int, UUID]:
    return {row.strava_id: row.user_id for row in await fetch_rows(database, "select * from activities")}


async def test_a_new_name_is_told_for_the_boards_on_which_they_are(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1, sport_type="Ride"))
    await clear_outbox(database)
    await handle(database, renamed(name="Ania"), renamed(JAN, "Janek"))
    assert await list_names(database) == {ANNA: "Ania", JAN: "Janek"}
    assert [boards for boards, _ in await emitted_changes(database)] == [("cycling",)]


async def test_a_name_that_is_not_new_tells_nothing(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1), renamed(name="Ania", minute=2))
    await clear_outbox(database)
    await handle(
        database, renamed(name="Ania", minute=2), renamed(name="Ania", minute=3), renamed(minute=1, name="A")
    )
    assert await emitted_changes(database) == []


async def test_in_whatever_order_names_come_the_latest_stays(database: Database) -> None:
    events = (
        authorized(name="Anna K.", minute=0),
        renamed(name="Ania", minute=1),
        renamed(name="Anka", minute=2),
        authorized(name="Anka", minute=3),
        renamed(name="Andzia", minute=4),
    )
    outcomes = set()
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        [row] = await fetch_rows(database, "select * from participants")
        outcomes.add(tuple(row._mapping.items()))
    assert len(outcomes) == 1
    person = dict(outcomes.pop())
    assert (person["display_name"], person["athlete_id"]) == ("Andzia", ANNA.int)
    assert person["joined_at"] == AUTHORIZED_AT
    assert person["authorized_at"] == authorized(minute=3).authorized_at


async def test_everything_about_an_erased_user_is_deleted_and_the_boards_are_told(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(ANNA), authorized(JAN, "Jan"), recorded(1), recorded(2, day=40), removed(3))
    await handle(database, recorded(4, user_id=JAN, sport_type="Ride"))
    await clear_outbox(database)
    await handle(database, erased(ANNA))
    assert await list_names(database) == {JAN: "Jan"}
    assert await list_owners(database) == {4: JAN}
    assert set(await metres(database)) == {("cycling", JAN.int)}
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)]
    [row] = await fetch_rows(database, "select * from erased_users")
    assert tuple(row) == (ANNA, erased().erased_at)


async def test_who_is_on_no_board_is_erased_silently_and_again_without_effect(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1, day=60))
    await clear_outbox(database)
    await handle(database, erased(), erased())
    await handle(database, erased())
    assert (await list_names(database), await list_owners(database)) == ({}, {})
    assert await emitted_changes(database) == []


async def test_many_erased_at_once_are_told_once(database: Database) -> None:
    await add_challenge(database)
    users = [UUID(int=n) for n in range(1, 6)]
    await handle(database, *(authorized(user) for user in users), *(recorded(u.int, user_id=u) for u in users))
    await clear_outbox(database)
    await handle(database, *(erased(user) for user in users[:4]))
    assert set(await metres(database)) == {("running", 5)}
    assert [boards for boards, _ in await emitted_changes(database)] == [("running",)]


@pytest.mark.parametrize(
    "late", [authorized(minute=5), renamed(), recorded(1), revised(1), removed(1)], ids=lambda event: event.topic
)
async def test_what_comes_late_about_an_erased_user_brings_nothing_back(database: Database, late: Event) -> None:
    await add_challenge(database)
    await handle(database, authorized(JAN, "Jan"), erased(ANNA))
    await clear_outbox(database)
    await handle(database, late)
    assert await list_names(database) == {JAN: "Jan"}
    assert (await list_owners(database), await metres(database)) == ({}, {})
    assert await emitted_changes(database) == []


async def test_in_whatever_order_an_erasure_comes_who_joined_again_keeps_everything(database: Database) -> None:
    await add_challenge(database)
    events = (
        authorized(ANNA, "Anna K."),
        recorded(1, 1, ANNA, km=1.0),
        erased(ANNA),
        authorized(ANNA_AGAIN, "Ania"),
        revised(1, 3, ANNA_AGAIN, km=3.0),
        removed(1, 2, ANNA),
    )
    for order in some_orders(events):
        await delete_all(database)
        await handle(database, *order, *order[:2], one_by_one=True)
        assert await list_names(database) == {ANNA_AGAIN: "Ania"}, order
        assert await list_owners(database) == {1: ANNA_AGAIN}, order
        assert await metres(database) == {("running", ANNA_AGAIN.int): Decimal(3000)}, order


async def test_late_versions_of_the_former_user_do_not_displace_those_of_the_present(database: Database) -> None:
    await add_challenge(database)
    await handle(database, erased(ANNA))
    await handle(database, recorded(1, 9, ANNA), recorded(1, 2, ANNA_AGAIN), removed(1, 9, ANNA))
    assert await list_owners(database) == {1: ANNA_AGAIN}
    assert set(await metres(database)) == {("running", ANNA_AGAIN.int)}


async def test_an_erasure_and_scoring_at_once_leave_nothing_and_do_not_deadlock(database: Database) -> None:
    await add_challenge(database)
    batches = [[recorded(n, version, day=n) for n in range(1, 21)] for version in range(1, 4)]
    await asyncio.gather(
        *(handle(database, *batch) for batch in batches),
        handle(database, erased(ANNA)),
        handle(database, authorized(ANNA), renamed(ANNA)),
        handle(database, *(removed(n, 4) for n in range(10, 30))),
    )
    assert (await list_names(database), await list_owners(database), await metres(database)) == ({}, {}, {})
