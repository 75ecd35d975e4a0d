"""Rankings of teams that are kept in memory, on a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from leaderboard_helpers import handle
from team_helpers import EVA, UWE, TeamsApi, add_people, hide, open_teams

from leaderboard.standings.use_cases import announce_changes
from leaderboard.teams import rankings
from leaderboard.versions.use_cases import begin_rebuild, build_next, publish_complete
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, erased, recorded, removed

BOARD = "/boards/running/teams"

#: Something that changes the board of running teams.
Act: TypeAlias = Callable[[TeamsApi, Database], Awaitable[object]]


@pytest.fixture
async def teams(database: Database) -> AsyncIterator[TeamsApi]:
    """The API, with a team of two who ran and one who did nothing, and a team of one."""
    await add_people(database, {ANNA: 10, JAN: 4, EVA: 5, UWE: 0})
    async with open_teams(database) as api:
        owls = await api.create(ANNA, "Owls")
        await api.join(UWE, owls)
        await api.join(JAN, owls)
        await api.create(EVA, "Larks")
        yield api


async def announce(database: Database) -> None:
    await announce_changes(database, datetime.now(UTC))


async def find_team(database: Database, name: str) -> int:
    [row] = await fetch_rows(database, "select id from teams where name = :name", name=name)
    team_id: int = row.id
    return team_id


async def rebuild(database: Database) -> None:
    await begin_rebuild(database)
    while await build_next(database) or await publish_complete(database):
        pass


async def rename(teams: TeamsApi, database: Database) -> None:
    await teams.organise("PATCH", f"/{await find_team(database, 'Owls')}", {"name": "Night owls"})


async def delete(teams: TeamsApi, database: Database) -> None:
    await teams.organise("DELETE", f"/{await find_team(database, 'Larks')}")


async def join(teams: TeamsApi, database: Database) -> None:
    await teams.join(JAN, await find_team(database, "Larks"))


CHANGES: dict[str, Act] = {
    "an activity": lambda _, database: handle(database, recorded(90, user_id=EVA, km=7)),
    "an activity that is gone": lambda _, database: handle(database, removed(ANNA.int, user_id=ANNA)),
    "somebody who joins": join,
    "somebody who leaves": lambda teams, _: teams.act("POST", JAN, "/teams/leave"),
    "a name": rename,
    "a team that is gone": delete,
    "somebody who hides": lambda _, database: hide(database, JAN),
    "somebody who did nothing and hides": lambda _, database: hide(database, UWE),
    "somebody who is erased": lambda _, database: handle(database, erased(JAN)),
    "the rule of the board": lambda _, database: execute(database, "update boards set team_mode = 'average'"),
}


async def read(teams: TeamsApi) -> Any:
    answer = await teams.get(BOARD)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("announced", [False, True])
async def test_after_a_change_the_ranking_is_that_of_a_process_that_has_read_none(
    teams: TeamsApi, database: Database, name: str, *, announced: bool
) -> None:
    if announced:
        await announce(database)
    before = await read(teams)
    await CHANGES[name](teams, database)
    async with open_teams(database) as other:
        for _ in range(2):
            after = await read(teams)
            assert after["rows"] != before["rows"]
            assert after == await read(other)
            await announce(database)


async def test_a_ranking_is_made_once_for_as_long_as_no_change_is_noted(teams: TeamsApi, database: Database) -> None:
    before = await read(teams)
    await execute(database, "update standings set value = value + 1000")  # by nobody who notes it
    assert await read(teams) == before
    await execute(database, "insert into board_changes (board_id) select id from boards")
    assert (await read(teams))["rows"][0]["value"] == before["rows"][0]["value"] + 2000


async def test_of_another_version_there_is_another_ranking(teams: TeamsApi, database: Database) -> None:
    before = await read(teams)
    await execute(database, "update standings set value = value + 1000")
    await rebuild(database)
    assert (await read(teams))["rows"] == before["rows"]


async def test_whoever_has_the_current_ranking_gets_no_other_one(teams: TeamsApi, database: Database) -> None:
    tag = (await teams.get(BOARD)).headers["etag"]
    path = f"/challenges/main{BOARD}"
    same = await teams.client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await teams.client.get(path, params={"limit": 1}, headers={"If-None-Match": tag})).status_code == 200
    await handle(database, recorded(90, user_id=EVA, km=7))
    changed = await teams.client.get(path, headers={"If-None-Match": tag})
    longer_of_two = 7000.0  # they overlap
    assert (changed.status_code, changed.json()["rows"][1]["value"]) == (200, longer_of_two)


async def test_as_many_rankings_are_kept_as_there_is_room_for(
    teams: TeamsApi, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rankings, "MAX_RANKINGS", 1)
    before = await read(teams)
    await execute(database, "update standings set value = value + 1000")
    assert await read(teams) == before
    await teams.get("/boards/cycling/teams")
    assert (await read(teams))["rows"] != before["rows"]
