"""Whatever happens, is chosen and is changed: boards, milestones and team boards are those that are expected."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from leaderboard_helpers import ORGANISER, create_app
from storm import Storm
from storm_helpers import PEOPLE

from shared.database.engine import Database
from testkit.databases import open_database


@asynccontextmanager
async def open_api(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database))
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        yield client


@pytest.fixture
async def api(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with open_api(database) as client:
        yield client


@pytest.fixture
async def replica(database_url_for: Callable[[str], str]) -> AsyncIterator[Database]:
    """The database as another process has it."""
    async with open_database(database_url_for("leaderboard")) as database:
        yield database


#: Each run has seeds of its own.
RUNS = [1, *(pytest.param(run, marks=pytest.mark.long) for run in range(2, 12))]


async def let_happen(storm: Storm, happens: Mapping[Callable[[], Awaitable[None]], int], times: int) -> None:
    """Some of that, each as often as it weighs."""
    for _ in range(times):
        [something] = storm.chance.choices(list(happens), list(happens.values()))
        await something()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.timeout(600)  # on a busy machine
@settings(
    max_examples=3,
    phases=[Phase.generate],  # a seed cannot be made simpler
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
async def test_after_any_storm_all_that_is_shown_is_as_it_is_expected(
    api: httpx.AsyncClient, database: Database, run: int, seed: int
) -> None:
    note(f"seed {seed}")
    storm = Storm(api, database, Random(seed))
    await storm.begin()
    happens = {
        storm.deliver_activities: 8,
        storm.exclude_activity: 5,
        storm.prefer_activity: 5,
        storm.change_team: 5,
        storm.change_rules: 2,
        storm.hide_or_show: 2,
        storm.choose_private: 2,
        storm.work_in_background: 2,
        storm.erase_somebody: 1,
    }
    for _ in range(2):
        await let_happen(storm, happens, 25)
        await storm.check()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.timeout(600)
@settings(
    max_examples=2,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
async def test_two_organisers_and_two_replicas_at_once_leave_what_is_expected(
    api: httpx.AsyncClient, database: Database, replica: Database, run: int, seed: int
) -> None:
    note(f"seed {seed}")
    storm = Storm(api, database, Random(seed))
    await storm.begin()
    async with open_api(replica) as other_api:
        sides = [(api, database), (other_api, replica)]

        def begin(number: int, side: int, half: int = 0) -> Storm:
            """Somebody who acts on one of the replicas, about half of the people."""
            client, on = sides[side]
            chance = Random(seed + number)
            return replace(
                storm, api=client, database=on, chance=chance, alone=False, mine=PEOPLE[half::2], late=[], versions=0
            )

        everything = []
        for side in (0, 1):
            delivers, chooses = begin(10 + side, side, side), begin(20 + side, 1 - side, side)
            organises, works = begin(30 + side, side), begin(40 + side, side)
            everything += [
                let_happen(
                    delivers,
                    {delivers.deliver_activities: 8, delivers.prefer_activity: 5, delivers.erase_somebody: 1},
                    20,
                ),
                let_happen(
                    chooses,
                    {
                        chooses.exclude_activity: 5,
                        chooses.change_team: 5,
                        chooses.hide_or_show: 2,
                        chooses.choose_private: 2,
                    },
                    20,
                ),
                let_happen(organises, {organises.change_rules: 1}, 5),
                let_happen(works, {works.work_in_background: 1}, 10),
            ]
        async with asyncio.TaskGroup() as group:
            for each in everything:
                group.create_task(each)
        await storm.check()
        await replace(storm, api=other_api, database=replica).check()
