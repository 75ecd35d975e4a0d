"""Milestones: who reached them, and with which activity."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import (
    MAY,
    WEB_KEY,
    add_challenge,
    build,
    clear_outbox,
    create_app,
    emitted_changes,
    handle,
)

from leaderboard.milestones.use_cases import update_milestones
from leaderboard.standings.use_cases import announce_changes
from leaderboard.versions.use_cases import begin_rebuild
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded, removed, revised
from testkit.handling import emitted

HOURS = 3600


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"))
    headers = {"Authorization": f"Bearer {WEB_KEY}", "Gruppetto-User": str(ANNA)}
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=headers) as client:
        yield client


def long_ride(strava_id: int, day: int, hours: float = 10, user_id: UUID = ANNA, **fields: Any) -> Any:
    seconds = int(hours * HOURS)
    usual: dict[str, Any] = {"sport_type": "Ride", "moving_time_s": seconds, "elapsed_time_s": seconds + 600}
    return recorded(strava_id, user_id=user_id, day=day, **{**usual, **fields})


def end_of(day: int, hours: float = 10) -> datetime:
    return datetime(2026, 5, day, 6, tzinfo=UTC) + timedelta(hours=hours, seconds=600)


async def reached(database: Database) -> dict[UUID, datetime]:
    while await update_milestones(database):
        pass
    return {row.user_id: row.reached_at for row in await fetch_rows(database, "select * from milestones_reached")}


async def told(database: Database) -> list[tuple[str, str]]:
    events = await emitted(database, "milestone.reached")
    return [(event["user_id"], event["milestone"]) for _, event in events]


async def test_a_milestone_is_reached_with_the_activity_that_fills_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 4)))
    assert await reached(database) == {}
    await handle(database, long_ride(9, 9), long_ride(5, 5))
    assert await reached(database) == {ANNA: end_of(5)}
    assert await told(database) == [(str(ANNA), "40-hours")]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
async def test_the_moment_does_not_depend_on_the_order_of_arrival(
    client: httpx.AsyncClient, database: Database, order: tuple[int, ...]
) -> None:
    rides = [long_ride(1, 2), long_ride(2, 5, 25), long_ride(3, 7, 5), long_ride(4, 7, 2, start_at=end_of(7, 5))]
    for number in order:
        await handle(database, rides[number])
        await reached(database)
    assert await reached(database) == {ANNA: end_of(7, 5)}


async def test_who_falls_below_it_has_not_reached_it_and_may_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    assert await reached(database) == {ANNA: end_of(4)}
    await handle(database, removed(1))
    assert await reached(database) == {}
    await handle(database, long_ride(6, 6))
    assert await reached(database) == {ANNA: end_of(6)}
    assert len(await told(database)) == 2


async def test_that_a_milestone_changed_is_announced_without_boards(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    for change in ((), (removed(1),)):
        await handle(database, *change)
        await clear_outbox(database)
        await reached(database)
        await announce_changes(database, datetime.now(UTC))
        assert [boards for boards, _ in await emitted_changes(database)] == [()]


async def test_a_change_that_moves_the_moment_is_not_told_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 6)))
    assert await reached(database) == {ANNA: end_of(4)}
    await handle(database, revised(1, 2, day=1, km=1.0, sport_type="Swim"))
    assert await reached(database) == {ANNA: end_of(5)}
    assert len(await told(database)) == 1


async def test_what_changes_after_the_day_on_which_it_was_reached_is_not_looked_at(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    assert await reached(database) == {ANNA: end_of(4)}
    other = datetime(2026, 5, 4, tzinfo=UTC)
    await execute(database, "update milestones_reached set reached_at = :other", other=other)
    await handle(database, long_ride(9, 9), long_ride(10, 10))
    await handle(database, removed(9))
    assert await reached(database) == {ANNA: other}
    await handle(database, revised(4, 2, day=4, km=1.0, sport_type="Swim"))
    assert await reached(database) == {ANNA: end_of(10)}
    assert len(await told(database)) == 1


async def test_of_who_is_below_it_nothing_is_noted(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, long_ride(1, 1), long_ride(2, 2))
    assert await fetch_rows(database, "select 1 from milestone_changes") == []


async def test_of_a_crowd_on_one_day_the_end_of_the_day_is_the_moment(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.milestones.use_cases.DAY_ACTIVITIES", 3)
    starts = [datetime(2026, 5, 3, hour, tzinfo=UTC) for hour in range(6, 11)]
    await handle(
        database,
        *(
            recorded(n, day=3, start_at=at, moving_time_s=9 * HOURS, elapsed_time_s=3500)
            for n, at in enumerate(starts, start=1)
        ),
    )
    assert await reached(database) == {ANNA: datetime(2026, 5, 3, 23, 59, 59, tzinfo=UTC)}


async def test_other_days_of_the_challenge_decide_anew_who_reached_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    await handle(database, *(long_ride(day + 10, day + 20, user_id=JAN) for day in range(1, 5)))
    assert (await reached(database)).keys() == {ANNA, JAN}
    await clear_outbox(database)
    await add_challenge(database, (date(2026, 5, 15), MAY[1]))
    assert await reached(database) == {JAN: end_of(24)}
    await add_challenge(database, MAY)
    assert await reached(database) == {ANNA: end_of(4), JAN: end_of(24)}
    assert await told(database) == [(str(ANNA), "40-hours")]


async def test_a_rebuild_changes_nothing_and_tells_nothing(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    before = await reached(database)
    await clear_outbox(database)
    await begin_rebuild(database)
    await build(database)
    assert await reached(database) == before
    assert await told(database) == []


async def test_milestones_are_listed_with_how_far_the_viewer_is(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(long_ride(day, day, user_id=JAN) for day in range(1, 5)), long_ride(9, 1, 2.5))
    await reached(database)
    [milestone] = (await client.get("/challenges/main/milestones")).json()
    assert milestone == {
        "slug": "40-hours",
        "name": "40 hours",
        "metric": "moving_time",
        "threshold": 144_000.0,
        "reached": 1,
        "own": {"value": 9000.0, "reached_at": None},
    }
    page = (await client.get("/challenges/main/milestones/40-hours")).json()
    assert [(row["display_name"], row["reached_at"]) for row in page["rows"]] == [("Jan", "2026-05-04T16:10:00Z")]
    assert (await client.get("/challenges/main/milestones/41-hours")).status_code == 404
    assert (await client.get("/challenges/main/boards/40-hours")).status_code == 404


async def test_who_is_erased_has_reached_nothing(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, *(long_ride(day, day) for day in range(1, 5)))
    await reached(database)
    await handle(database, removed(1))
    await handle(database, erased(ANNA))
    assert await reached(database) == {}
    assert await fetch_rows(database, "select 1 from milestone_changes") == []


async def test_a_threshold_of_points_counts_the_cap_and_the_bonus(
    client: httpx.AsyncClient, database: Database
) -> None:
    await execute(
        database,
        """update board_versions set metric = 'points', threshold = 30, sport_types = '{Run}',
             points = '{"unit": "distance", "per_unit": {"Run": "1"}, "daily_cap": "10", "active_day_bonus": "2"}'
           where threshold is not null""",
    )
    hour = timedelta(hours=1)
    first = datetime(2026, 5, 3, 6, tzinfo=UTC)
    await handle(database, recorded(1, day=1), recorded(2, day=2), recorded(3, day=3, km=4.0, start_at=first))
    assert await reached(database) == {ANNA: first + hour}  # 12 + 12 + 4 + 2
    await handle(database, revised(3, 2, day=3, km=3.0, start_at=first))
    await handle(database, recorded(4, day=3, km=50.0, start_at=first + 2 * hour))
    assert await reached(database) == {ANNA: first + 3 * hour}
    [row] = await fetch_rows(
        database, "select value from standings join board_versions v on v.id = version_id where threshold is not null"
    )
    assert row.value == Decimal(36)
