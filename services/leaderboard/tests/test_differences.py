"""Standings kept by differences are those that all activities give, whatever comes, in whatever order."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from leaderboard_helpers import MAY, add_challenge, build, delete_all, handle, list_standings, recalculate
from sqlalchemy import text

from leaderboard.activities.queries import list_activities_between
from leaderboard.challenges.queries import find_challenge, list_scored_versions
from leaderboard.challenges.rules import Board, Challenge, Metric
from leaderboard.metrics import DRIFT
from leaderboard.standings.rules.scoring import Totals, judge, sum_days
from leaderboard.standings.use_cases import recalculate_next
from leaderboard.versions.use_cases import (
    begin_check,
    begin_rebuild,
    build_next,
    check_nightly,
    delete_retired,
    finish_checks,
    preview_new_rules,
    retire_old_previews,
)
from shared.contracts.events import Event
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, recorded, removed, revised

PEOPLE = [ANNA, JAN, UUID(int=3)]
SPORTS = frozenset({"Run", "Ride", "Yoga"})
LENGTHS_S = (0, 120, 180, 181, 3600, 3600, 3600, 20_000, 86_400, 86_401, 200_000)


async def calculate(database: Database) -> tuple[dict[Any, Totals], dict[Any, Totals]]:
    """Daily totals and standings of all versions, from all activities of everybody."""
    days: dict[Any, Totals] = {}
    sums: dict[Any, Totals] = {}
    async with database.transaction() as session:
        activities = await list_activities_between(session, PEOPLE, date(1, 1, 1), date(9998, 1, 1))
        for version in await list_scored_versions(session):
            for user_id in PEOPLE:
                own = [activity for owner, activity in activities if owner == user_id]
                judged = judge(version.challenge, version.board, own)
                for day, totals in sum_days(version.board, own, judged).items():
                    days[version.id, user_id, day] = totals
                    sums[version.id, user_id] = sums.get((version.id, user_id), Totals()) + totals
    return days, sums


async def assert_current(database: Database) -> None:
    figures = "distance_m, moving_time_s, elev_gain_m, activities, points"
    scored = "version_id in (select id from board_versions where state <> 'retired')"
    days = await fetch_rows(database, f"select version_id, user_id, day, {figures} from daily_totals where {scored}")
    sums = await fetch_rows(
        database,
        f"""select s.version_id, s.user_id, {", ".join(f"s.{name}" for name in figures.split(", "))}, value, metric
            from standings as s join board_versions as v on v.id = version_id where state <> 'retired'""",
    )
    wanted_days, wanted_sums = await calculate(database)
    assert {tuple(row[:3]): Totals(*row[3:]) for row in days} == wanted_days
    assert {tuple(row[:2]): Totals(*row[2:-2]) for row in sums} == wanted_sums
    assert all(row.value == wanted_sums[row.version_id, row.user_id].value(Metric(row.metric)) for row in sums)


def a_start(chance: random.Random) -> datetime:
    return datetime(2026, 4, 29) + timedelta(minutes=chance.randrange(6 * 24 * 60))  # noqa: DTZ001


def an_event(chance: random.Random, version: int) -> Event:
    strava_id, owner = chance.randrange(1, 16), chance.choices(PEOPLE, (8, 1, 1))[0]
    if chance.random() < 0.2:
        return removed(strava_id, version, owner)
    local_start = chance.choice([a_start(chance), a_start(chance), datetime(2026, 5, 2, 0, 0, 1)])  # noqa: DTZ001
    return chance.choice([recorded, revised])(
        strava_id,
        version,
        owner,
        km=float(chance.randrange(20)),
        local_start=local_start,
        start_at=local_start.replace(tzinfo=UTC) - timedelta(hours=chance.choice([2, 2, 2, -12, 13])),
        elapsed_time_s=chance.choice(LENGTHS_S),
        sport_type=chance.choice(["Run", "Run", "TrailRun", "Ride", "Yoga"]),
        flagged=chance.random() < 0.1,
        trainer=chance.random() < 0.1,
        visibility=chance.choice(["everyone", "everyone", "only_me"]),
    )


@pytest.mark.parametrize("seed", range(6))
async def test_after_any_events_in_any_order_totals_are_those_of_all_activities(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 3 == 2:  # some are left to the task
        monkeypatch.setattr("leaderboard.standings.use_cases.CROWD", 3)
        monkeypatch.setattr("leaderboard.versions.use_cases.BUILD_ACTIVITIES", 4)
    chance = random.Random(seed)
    await add_challenge(database)
    await handle(database, *(authorized(user_id, "X") for user_id in PEOPLE))
    events = [an_event(chance, version) for version in range(1, 160)]
    late = chance.sample(events, len(events))  # each at once, late, again, or before what came first
    batches = [late[first : first + 4] for first in range(0, len(late), 4)]
    for number, batch in enumerate(batches):
        await handle(database, *batch, one_by_one=number % 2 == 0)
        if number % 10 == 5:  # versions are built meanwhile
            await begin_rebuild(database)
            await build_next(database)
        if number % 10 == 8:
            await build(database)
        if number == 12:
            await preview_new_board(database)
        if seed % 3 != 2:
            await assert_current_where_built(database)
    await build(database)
    while await delete_retired(database):
        pass
    await assert_current(database)
    counts = await fetch_rows(database, "select count(*) filter (where state = 'live'), count(*) from board_versions")
    assert tuple(counts[0]) == (3, 4), "and the preview"


async def preview_new_board(database: Database) -> None:
    async with database.transaction() as session:
        challenge = await find_challenge(session, "main")
        assert challenge is not None
        await preview_new_rules(session, challenge.id, Challenge(*MAY), Board("", "", Metric.ELEVATION, SPORTS))


async def assert_current_where_built(database: Database) -> None:
    if not await fetch_rows(database, "select 1 from board_versions where state = 'building'"):
        await assert_current(database)


async def test_an_overlap_that_ends_lets_the_other_day_count_whichever_is_told_first(database: Database) -> None:
    await add_challenge(database)
    evening = {"local_start": datetime(2026, 5, 1, 23), "start_at": datetime(2026, 5, 1, 21, tzinfo=UTC)}  # noqa: DTZ001
    night = {"local_start": datetime(2026, 5, 2, 0, 30), "start_at": datetime(2026, 5, 1, 22, 30, tzinfo=UTC)}  # noqa: DTZ001
    noon = {"local_start": datetime(2026, 5, 3, 12), "start_at": datetime(2026, 5, 3, 10, tzinfo=UTC)}  # noqa: DTZ001
    first = recorded(1, 1, km=20.0, elapsed_time_s=7200, **evening)
    second = recorded(2, 1, km=5.0, elapsed_time_s=3600, **night)
    await handle(database, first, second, one_by_one=True)
    assert (await list_standings(database))["running", 1][-1] == 1
    await handle(database, revised(2, 2, km=5.0, elapsed_time_s=3600, **night))  # says that nothing overlaps any more
    await handle(database, revised(1, 3, km=20.0, elapsed_time_s=7200, **noon))
    assert (await list_standings(database))["running", 1][-1] == 2
    await assert_current(database)


async def test_somebody_with_a_crowd_of_activities_is_scored_by_the_task_and_holds_nobody_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.standings.use_cases.CROWD", 10)
    await add_challenge(database)
    crowd = [recorded(n, km=float(n), start_at=datetime(2026, 5, 1, 6, n, tzinfo=UTC)) for n in range(1, 21)]
    await handle(database, *crowd, recorded(100, user_id=JAN))
    assert {user for _, user in await list_standings(database)} == {JAN.int}
    await handle(database, recorded(21, km=1.0, day=3))  # waits with the others
    assert {user for _, user in await list_standings(database)} == {JAN.int}
    assert await recalculate(database)
    assert not await recalculate(database)
    assert (await list_standings(database))["running", 1][-1] == 2
    await assert_current(database)


async def test_what_comes_while_somebody_is_recalculated_is_in_the_next_recalculation(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.standings.use_cases.CROWD", 2)
    await add_challenge(database)
    await handle(database, *(recorded(n, km=float(n)) for n in range(1, 5)))
    [_] = await fetch_rows(database, "select * from recalculations")

    async def more(function: Any, *arguments: Any) -> Any:
        await handle(database, recorded(9, km=9.0))
        return function(*arguments)

    monkeypatch.setattr("leaderboard.standings.use_cases.asyncio.to_thread", more)
    assert await recalculate(database)
    monkeypatch.undo()
    assert await recalculate(database)
    await assert_current(database)
    assert (await list_standings(database))["running", 1][0] == 9000


async def test_who_is_erased_while_they_are_recalculated_stays_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.standings.use_cases.CROWD", 2)
    await add_challenge(database)
    await handle(database, *(recorded(n, km=float(n)) for n in range(1, 5)))

    async def erase(function: Any, *arguments: Any) -> Any:
        await handle(database, erased(ANNA))
        return function(*arguments)

    monkeypatch.setattr("leaderboard.standings.use_cases.asyncio.to_thread", erase)
    assert await recalculate(database)
    assert await list_standings(database) == {}
    assert await fetch_rows(database, "select 1 from daily_totals union all select 1 from recalculations") == []


async def test_while_other_days_are_built_the_former_ones_are_shown(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1, day=1), recorded(2, day=20), recorded(3, day=1, user_id=JAN))
    before = await list_standings(database)
    later = (date(2026, 5, 15), MAY[1])
    await add_challenge_without_building(database, later)
    assert await build_next(database)
    assert await list_standings(database) == before
    [row] = await fetch_rows(database, "select first_day from challenges")
    assert row.first_day == MAY[0]
    await handle(database, recorded(4, day=21, km=1.0), recorded(5, day=2, km=1.0))  # both versions hear of it
    await build(database)
    assert (await list_standings(database)).keys() == {("running", ANNA.int)}
    [row] = await fetch_rows(database, "select first_day from challenges")
    assert row.first_day == later[0]
    await assert_current(database)


async def add_challenge_without_building(database: Database, days: tuple[date, date]) -> None:
    from leaderboard.seed import ensure_default_challenge  # noqa: PLC0415

    await ensure_default_challenge(database, "May", days, "Europe/Warsaw")


async def test_days_that_are_taken_back_before_they_are_built_leave_what_is_shown(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1, day=1))
    [before] = await fetch_rows(database, "select id from board_versions where state = 'live' order by id limit 1")
    await add_challenge_without_building(database, (date(2026, 5, 15), MAY[1]))
    await add_challenge_without_building(database, MAY)
    await build(database)
    [after] = await fetch_rows(database, "select id from board_versions where state = 'live' order by id limit 1")
    assert before == after
    assert (await list_standings(database)).keys() == {("running", ANNA.int)}


async def test_a_check_finds_nothing_where_nothing_drifted_and_goes(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1), recorded(2, day=2))
    assert await begin_check(database) == 3
    await handle(database, recorded(3, day=3))
    await build(database)
    assert [drift.totals for drift in await finish_checks(database)] == [0, 0, 0]
    assert await finish_checks(database) == []
    while await delete_retired(database):
        pass
    assert len(await fetch_rows(database, "select 1 from board_versions")) == 3
    await assert_current(database)


async def test_a_check_finds_what_drifted_and_puts_it_right(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1), recorded(2, day=2), recorded(3, user_id=JAN))
    await execute(database, "update daily_totals set distance_m = 1 where day = '2026-05-02'")
    async with database.transaction() as session:
        await session.execute(text("delete from standings where user_id = :id"), {"id": JAN})
    await begin_check(database)
    await build(database)
    assert sorted(drift.totals for drift in await finish_checks(database)) == [0, 3, 3]
    await build(database)
    await assert_current(database)
    await begin_check(database)
    await build(database)
    assert [drift.totals for drift in await finish_checks(database)] == [0, 0, 0]


async def test_whoever_is_requested_again_while_the_task_is_at_it_waits_for_the_next_time(database: Database) -> None:
    await add_challenge(database)
    began = datetime.now(UTC) - timedelta(minutes=1)
    await execute(database, "insert into recalculations (user_id, requested_at) values (:id, now())", id=ANNA)
    assert not await recalculate_next(database, began)
    assert await recalculate_next(database, began + timedelta(minutes=2))


async def test_a_preview_is_dropped_after_a_day(database: Database) -> None:
    await add_challenge(database)
    await execute(database, "update board_versions set purpose = 'preview', state = 'built' where board_id = 1")
    now = datetime.now(UTC)
    await retire_old_previews(database, now + timedelta(hours=23))
    states = "select state from board_versions where board_id = 1"
    assert [row.state for row in await fetch_rows(database, states)] == ["built"]
    await retire_old_previews(database, now + timedelta(hours=25))
    assert [row.state for row in await fetch_rows(database, states)] == ["retired"]


async def test_a_night_is_checked_once_and_what_it_found_is_a_metric(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1))
    await execute(database, "update standings set distance_m = 1, value = 1")
    night = datetime(2026, 5, 3, 2, tzinfo=UTC)
    await check_nightly(database, night - timedelta(hours=1))
    assert await fetch_rows(database, "select 1 from drift_checks") == []
    for minute in range(3):
        await asyncio.gather(*(check_nightly(database, night + timedelta(minutes=minute)) for _ in range(2)))
        await build(database)
    assert [row.totals for row in await fetch_rows(database, "select totals from drift_checks")] == [4]
    assert DRIFT._value.get() == 4
    await assert_current(database)
    await check_nightly(database, night + timedelta(days=1))
    await build(database)
    await check_nightly(database, night + timedelta(days=1, minutes=1))
    assert DRIFT._value.get() == 0


async def test_without_activities_nothing_is_computed_to_be_checked(database: Database) -> None:
    await add_challenge(database)
    await check_nightly(database, datetime(2026, 5, 4, 2, tzinfo=UTC))
    assert await fetch_rows(database, "select 1 from board_versions where purpose = 'check'") == []
    await delete_all(database)


async def test_versions_of_a_board_that_is_deleted_leave_nothing(database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1), recorded(2, sport_type="Ride", day=2))
    await execute(database, "delete from boards where slug = 'running'")
    while await delete_retired(database):
        pass
    assert (await list_standings(database)).keys() == {("cycling", ANNA.int)}
    assert len(await fetch_rows(database, "select 1 from daily_totals")) == 3
    await delete_all(database)
