"""Places as each day began, and who moved since."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import MAY, Scheduled, add_challenge, build, create_app, emitted_changes, handle

from leaderboard.seed import ensure_default_challenge
from leaderboard.standings.rules.snapshots import is_snapshot_due
from leaderboard.standings.use_cases import announce_changes, snapshot_places
from leaderboard.versions.use_cases import begin_rebuild, delete_retired
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded, removed

EVA = UUID(int=3)
MIDNIGHT = datetime(2026, 5, 19, 22, tzinfo=UTC)  # in Warsaw the twentieth begins
DAY = timedelta(days=1)


class Clock:
    """What the read API takes for now."""

    now = MIDNIGHT + timedelta(hours=12)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class FakeDatetime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock.now.astimezone(tz)

    monkeypatch.setattr("leaderboard.standings.routes.datetime", FakeDatetime)
    return clock


@pytest.fixture
async def client(database: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        yield client


@pytest.fixture
async def club(database: Database) -> None:
    """Anna before Jan before Ewa, in May."""
    await add_challenge(database)
    await handle(database, authorized(ANNA, "Anna"), authorized(JAN, "Jan"), authorized(EVA, "Ewa"))
    await handle(database, recorded(1, km=30.0), recorded(2, user_id=JAN, km=20.0), recorded(3, user_id=EVA, km=10.0))


async def list_movements(client: httpx.AsyncClient, **parameters: Any) -> dict[str, int | None]:
    answer = await client.get("/challenges/main/boards/running", params=parameters)
    return {row["display_name"]: row["movement"] for row in answer.json()["rows"]}


async def list_places(database: Database) -> list[tuple[date, int, int]]:
    rows = await fetch_rows(database, "select day, user_id, place from rank_history order by day, place, user_id")
    return [(row.day, row.user_id.int, row.place) for row in rows]


async def test_movement_is_what_was_won_or_lost_since_the_day_began(
    database: Database, client: httpx.AsyncClient, club: None
) -> None:
    assert await list_movements(client) == {"Anna": None, "Jan": None, "Ewa": None}
    await snapshot_places(database, MIDNIGHT + timedelta(seconds=40))
    assert await list_movements(client) == {"Anna": 0, "Jan": 0, "Ewa": 0}
    await handle(database, recorded(4, user_id=EVA, km=50.0, day=20))
    assert await list_movements(client) == {"Ewa": 2, "Anna": -1, "Jan": -1}
    assert await list_movements(client, around=str(JAN), limit=1) == {"Jan": -1}
    assert await list_movements(client, search="ewa") == {"Ewa": 2}
    assert await list_movements(client, first_day="2026-05-01") == {"Ewa": None, "Anna": None, "Jan": None}


async def test_who_came_today_has_no_movement(database: Database, client: httpx.AsyncClient, club: None) -> None:
    await snapshot_places(database, MIDNIGHT)
    await handle(database, authorized(UUID(int=4), "Ola"), recorded(4, user_id=UUID(int=4), km=25.0))
    assert await list_movements(client) == {"Anna": 0, "Ola": None, "Jan": -1, "Ewa": -1}


async def test_places_are_written_down_once_a_day_as_they_were_at_the_first_step(
    database: Database, club: None
) -> None:
    await snapshot_places(database, MIDNIGHT - timedelta(seconds=1))
    await snapshot_places(database, MIDNIGHT)
    await handle(database, recorded(4, user_id=EVA, km=50.0), authorized(UUID(int=4), "Ola"))
    await handle(database, recorded(5, user_id=UUID(int=4)))
    await snapshot_places(database, MIDNIGHT + timedelta(minutes=1))
    await snapshot_places(database, MIDNIGHT + DAY - timedelta(seconds=1))
    first, second = date(2026, 5, 19), date(2026, 5, 20)
    assert await list_places(database) == [
        *((first, number, number) for number in (1, 2, 3)),
        *((second, number, number) for number in (1, 2, 3)),
    ]


async def test_replicas_that_write_at_one_time_write_once(database: Database, club: None) -> None:
    changes = len(await emitted_changes(database))
    await asyncio.gather(*(snapshot_places(database, MIDNIGHT) for _ in range(4)))
    await announce_changes(database, MIDNIGHT)
    assert len(await list_places(database)) == 3
    [(boards, _)] = (await emitted_changes(database))[changes:]
    assert boards == ("cycling", "running")


async def test_ties_share_a_place_in_the_history_and_who_is_not_listed_has_none(
    database: Database, club: None
) -> None:
    await handle(database, recorded(4, user_id=JAN, km=10.0, day=2), recorded(9, user_id=UUID(int=9), km=99.0))
    await snapshot_places(database, MIDNIGHT)
    day = date(2026, 5, 20)
    assert await list_places(database) == [(day, 1, 1), (day, 2, 1), (day, 3, 3)]


async def test_an_answer_before_and_one_after_the_places_are_written_have_different_tags(
    database: Database, client: httpx.AsyncClient, clock: Clock, club: None
) -> None:
    async def get_tag() -> str:
        return (await client.get("/challenges/main/boards/running")).headers["etag"]

    tags = [await get_tag()]
    await snapshot_places(database, clock.now)
    await announce_changes(database, clock.now)
    tags.append(await get_tag())
    clock.now += DAY  # the movements of yesterday are not those of today
    tags.append(await get_tag())
    assert await list_movements(client) == {"Anna": None, "Jan": None, "Ewa": None}
    assert len(set(tags)) == 3


async def test_a_version_that_replaces_another_has_no_movement_until_the_next_day(
    database: Database, client: httpx.AsyncClient, clock: Clock, club: None
) -> None:
    await snapshot_places(database, MIDNIGHT)
    await ensure_default_challenge(database, "May", (date(2026, 5, 1), date(2026, 5, 30)), "Europe/Warsaw")
    await build(database)
    await snapshot_places(database, MIDNIGHT + timedelta(hours=13))
    assert await list_movements(client) == {"Anna": None, "Jan": None, "Ewa": None}
    clock.now += DAY
    await snapshot_places(database, MIDNIGHT + DAY)
    assert await list_movements(client) == {"Anna": 0, "Jan": 0, "Ewa": 0}


async def test_versions_that_are_deleted_leave_no_places(database: Database, club: None) -> None:
    await snapshot_places(database, MIDNIGHT)
    await begin_rebuild(database)
    await build(database)
    while await delete_retired(database):
        pass
    assert await list_places(database) == []


async def test_who_is_erased_leaves_no_places(database: Database, client: httpx.AsyncClient, club: None) -> None:
    await snapshot_places(database, MIDNIGHT)
    await handle(database, erased(ANNA))
    assert {user for _, user, _ in await list_places(database)} == {JAN.int, EVA.int}
    assert await list_movements(client) == {"Jan": 1, "Ewa": 1}


async def test_who_has_nothing_any_more_and_comes_back_moved_from_where_they_were(
    database: Database, client: httpx.AsyncClient, club: None
) -> None:
    await snapshot_places(database, MIDNIGHT)
    await handle(database, removed(1))
    assert await list_movements(client) == {"Jan": 1, "Ewa": 1}
    await handle(database, recorded(5, 9, km=15.0))
    assert await list_movements(client) == {"Jan": 1, "Anna": -1, "Ewa": 0}


async def test_places_are_kept_for_a_week_and_after_the_challenge_no_longer(database: Database, club: None) -> None:
    for number in range(10):
        await snapshot_places(database, MIDNIGHT + number * DAY)
    days = sorted({day for day, _, _ in await list_places(database)})
    assert days == [date(2026, 5, 22) + number * DAY for number in range(8)]
    await snapshot_places(database, MIDNIGHT + 11 * DAY)  # the last day
    await snapshot_places(database, MIDNIGHT + 12 * DAY)
    await snapshot_places(database, MIDNIGHT + 18 * DAY)
    assert max(day for day, _, _ in await list_places(database)) == MAY[1]
    await snapshot_places(database, MIDNIGHT + 19 * DAY)
    assert await list_places(database) == []
    [row] = await fetch_rows(database, "select placed_on from challenges")
    assert row.placed_on is None


async def test_a_challenge_that_has_not_begun_has_no_places(database: Database, club: None) -> None:
    await snapshot_places(database, datetime(2026, 4, 30, 21, 59, tzinfo=UTC))
    assert await list_places(database) == []


async def test_each_challenge_has_the_days_of_its_own_time_zone(database: Database, club: None) -> None:
    await execute(database, "update challenges set time_zone = 'Pacific/Auckland'")
    await snapshot_places(database, datetime(2026, 5, 20, 11, 59, tzinfo=UTC))
    await snapshot_places(database, datetime(2026, 5, 20, 12, 0, tzinfo=UTC))
    assert {day for day, _, _ in await list_places(database)} == {date(2026, 5, 20), date(2026, 5, 21)}


@pytest.mark.parametrize(
    ("day", "placed_on", "is_due"),
    [
        (date(2026, 4, 30), None, False),
        (date(2026, 5, 1), None, True),
        (date(2026, 5, 2), date(2026, 5, 1), True),
        (date(2026, 5, 2), date(2026, 5, 2), False),
        (date(2026, 6, 1), date(2026, 5, 31), False),
        (date(2026, 6, 7), date(2026, 5, 31), False),
        (date(2026, 6, 8), date(2026, 5, 31), True),
        (date(2026, 6, 8), None, False),
    ],
)
def test_a_snapshot_is_due_when_a_day_of_the_challenge_began(day: date, placed_on: date | None, is_due: bool) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    assert is_snapshot_due(Scheduled(*MAY), placed_on, noon) is is_due
