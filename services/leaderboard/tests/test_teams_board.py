"""What everybody reads of teams, on a real database."""

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leaderboard_helpers import delete_all, handle
from team_helpers import EVA, UWE, TeamsApi, add_other_challenge, add_people, hide, open_teams

from leaderboard.standings.rules.ranking import rank
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded


@pytest.fixture
async def teams(database: Database) -> AsyncIterator[TeamsApi]:
    """The API, with four people, of whom one has done nothing."""
    await add_people(database, {ANNA: 10, JAN: 4, EVA: 5, UWE: 0})
    async with open_teams(database) as api:
        yield api


async def set_mode(database: Database, mode: str, best: int | None = None) -> None:
    await execute(database, "update boards set team_mode = :mode, team_best = :best", mode=mode, best=best)


async def read_board(teams: TeamsApi, **query: int) -> list[tuple[int, str, int, float]]:
    """Place, name, members and value of each line."""
    answer = await teams.get("/boards/running/teams", **query)
    assert answer.status_code == 200, answer.text
    return [(row["place"], row["name"], row["members"], row["value"]) for row in answer.json()["rows"]]


async def test_a_team_board_has_the_shape_that_web_reads(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    await set_mode(database, "best", 2)
    board = (await teams.get("/boards/running")).json()
    assert (await teams.get("/boards/running/teams")).json() == {
        **{name: board[name] for name in ("challenge", "board", "revision", "as_of")},
        "mode": "best",
        "best": 2,
        "total": 1,
        "rows": [{"place": 1, "team_id": owls, "name": "Owls", "members": 2, "value": 14000.0, "activities": 2}],
    }


@pytest.mark.parametrize(
    ("mode", "best", "expected"),
    [
        ("sum", None, [(1, "Owls", 3, 14000.0), (2, "Larks", 1, 5000.0)]),
        ("average", None, [(1, "Larks", 1, 5000.0), (2, "Owls", 3, 4666.67)]),
        ("best", 1, [(1, "Owls", 3, 10000.0), (2, "Larks", 1, 5000.0)]),
        ("best", 2, [(1, "Owls", 3, 14000.0), (2, "Larks", 1, 5000.0)]),
        ("best", 9, [(1, "Owls", 3, 14000.0), (2, "Larks", 1, 5000.0)]),
    ],
)
async def test_a_team_has_what_the_board_says_of_its_members(
    teams: TeamsApi, database: Database, mode: str, best: int | None, expected: list[tuple[int, str, int, float]]
) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    await teams.join(UWE, owls)
    await teams.create(EVA, "Larks")
    await set_mode(database, mode, best)
    assert await read_board(teams) == expected


async def test_whoever_is_not_listed_counts_for_no_team(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    await teams.create(EVA, "Larks")
    await execute(database, "update standings set listed = false where user_id = any(:ids)", ids=[ANNA, EVA])
    for mode in ("sum", "average"):
        await set_mode(database, mode)
        assert await read_board(teams) == [(1, "Owls", 1, 4000.0)]
    shown = (await teams.get(f"/teams/{owls}")).json()["members"]
    assert [(member["display_name"], len(member["figures"])) for member in shown] == [("Anna K.", 0), ("Jan N.", 1)]


@pytest.mark.parametrize(("mode", "best"), [("sum", None), ("average", None), ("best", 1)])
async def test_who_is_hidden_is_no_member_on_a_board_even_if_they_have_done_nothing(
    teams: TeamsApi, database: Database, mode: str, best: int | None
) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(UWE, owls)
    await execute(database, "update participants set hidden_by_organiser = true where user_id = :id", id=UWE)
    await set_mode(database, mode, best)
    assert await read_board(teams) == [(1, "Owls", 1, 10000.0)]


async def test_whoever_changes_team_takes_their_results_along(teams: TeamsApi) -> None:
    owls, larks = await teams.create(ANNA, "Owls"), await teams.create(JAN, "Larks")
    await teams.join(EVA, owls)
    assert await read_board(teams) == [(1, "Owls", 2, 15000.0), (2, "Larks", 1, 4000.0)]
    await teams.join(EVA, larks)
    assert await read_board(teams) == [(1, "Owls", 1, 10000.0), (2, "Larks", 2, 9000.0)]


async def test_a_team_without_a_counted_activity_is_not_on_the_board(teams: TeamsApi) -> None:
    await teams.create(UWE, "Sloths")
    assert await read_board(teams) == []
    assert (await teams.get("/boards/cycling/teams")).json()["total"] == 0


async def test_teams_with_ties_share_a_place_and_the_next_is_skipped(teams: TeamsApi, database: Database) -> None:
    await handle(database, recorded(99, user_id=UWE, km=5))
    for user_id, name in ((UWE, "bats"), (EVA, "Ants"), (ANNA, "Zebras"), (JAN, "Cats")):
        await teams.create(user_id, name)
    board = await read_board(teams)
    assert [(place, name) for place, name, *_ in board] == [(1, "Zebras"), (2, "Ants"), (2, "bats"), (4, "Cats")]
    assert await read_board(teams, limit=2, offset=2) == board[2:]
    behind = await teams.get("/boards/running/teams", offset=4)
    assert (behind.json()["total"], behind.json()["rows"]) == (4, [])


async def test_teams_are_listed_by_name_page_by_page(teams: TeamsApi, database: Database) -> None:
    await add_other_challenge(database)
    ants, bats = await teams.create(EVA, "Ants"), await teams.create(ANNA, "bats")
    await teams.join(JAN, bats)
    page = (await teams.get("/teams")).json()
    first, second = {"id": ants, "name": "Ants", "members": 1}, {"id": bats, "name": "bats", "members": 2}
    assert page == {"team_size": 5, "total": 2, "teams": [first, second]}
    assert (await teams.get("/teams", limit=1, offset=1)).json()["teams"] == [second]
    assert (await teams.get("/teams", offset=2)).json() == {"team_size": 5, "total": 2, "teams": []}


async def test_a_team_shows_its_members_and_what_they_have_on_each_board(teams: TeamsApi, database: Database) -> None:
    await handle(database, recorded(98, user_id=ANNA, km=7, sport_type="Ride", day=3, elev_gain_m=12.5))
    owls = await teams.create(ANNA, "Owls")
    await teams.join(UWE, owls)
    answer = (await teams.get(f"/teams/{owls}")).json()
    usual = {"moving_time_s": 3000, "activities": 1}
    running = next(figures for member in answer["members"] for figures in member["figures"])
    assert answer == {
        "id": owls,
        "name": "Owls",
        "team_size": 5,
        "members": [
            {
                "user_id": str(ANNA),
                "display_name": "Anna K.",
                "figures": [
                    {**running, "board": "running", "value": 10000.0, "distance_m": 10000.0, **usual},
                    {"board": "cycling", "value": 7000.0, "distance_m": 7000.0, "elev_gain_m": 12.5, **usual},
                ],
            },
            {"user_id": str(UWE), "display_name": "P 4", "figures": []},
        ],
        "hidden_members": 0,
    }


async def test_a_team_tells_what_its_listed_members_have_together_day_by_day(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "Owls")
    for user_id in (JAN, EVA):
        await teams.join(user_id, owls)
    await handle(database, recorded(98, user_id=JAN, km=7, day=3), recorded(97, user_id=JAN, sport_type="Ride"))
    [both] = await fetch_rows(database, "select distinct day from daily_totals where user_id = :id", id=ANNA)
    path = f"/teams/{owls}/boards/running/days"
    assert (await teams.get(path)).json() == [
        {"day": both.day.isoformat(), "value": 19000.0},
        {"day": "2026-05-03", "value": 7000.0},
    ]
    await hide(database, EVA)
    assert [day["value"] for day in (await teams.get(path)).json()] == [14000.0, 7000.0]
    assert (await teams.get(f"/teams/{owls}/boards/swimming/days")).status_code == 404
    assert (await teams.get("/teams/999/boards/running/days")).status_code == 404


async def test_a_team_tells_how_many_of_its_members_are_hidden(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    await hide(database, JAN)
    answer = (await teams.get(f"/teams/{owls}")).json()
    assert [member["display_name"] for member in answer["members"]] == ["Anna K."]
    assert answer["hidden_members"] == 1


@pytest.mark.parametrize("path", ["/teams", "/teams/1", "/teams/1/boards/running/days", "/boards/running/teams"])
async def test_teams_are_seen_by_whom_their_challenge_is_for(teams: TeamsApi, database: Database, path: str) -> None:
    await teams.create(ANNA, "Owls")
    assert (await teams.get(path)).status_code == 200
    await execute(database, "update challenges set visibility = 'hidden'")
    hidden = await teams.get(path)
    assert hidden.status_code == 404
    assert hidden.json() == {"code": "not_found", "message": "There is no such challenge."}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/teams", {"limit": 0}),
        ("/teams", {"limit": 201}),
        ("/teams", {"offset": 2**70}),
        ("/boards/running/teams", {"offset": -1}),
        ("/boards/running/teams", {"offset": 10**18}),
    ],
)
async def test_a_page_that_cannot_be_is_a_422(teams: TeamsApi, path: str, query: dict[str, int]) -> None:
    assert (await teams.get(path, **query)).status_code == 422


async def test_a_board_that_is_not_there_has_no_teams(teams: TeamsApi) -> None:
    answer = await teams.get("/boards/swimming/teams")
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "message": "There is no such board."}


def expected_board(groups: list[list[int]], mode: str, best: int) -> list[tuple[int, str, int, float]]:
    """What the board should be of teams T0, T1, … of people with so many kilometres."""
    values: list[tuple[Decimal, str, tuple[str, int]]] = []
    for number, group in enumerate(groups):
        highest = sorted((Decimal(km * 1000) for km in group), reverse=True)
        total = sum(highest[:best] if mode == "best" else highest, Decimal())
        value = round(total / len(group), 2) if mode == "average" else total
        if total:
            values.append((value, f"T{number}", (f"T{number}", len(group))))
    figures = {name: float(value) for value, name, _ in values}
    return [(one.place, *one.competitor, figures[one.competitor[0]]) for one in rank(values)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=5),
    mode=st.sampled_from(["sum", "average", "best"]),
    best=st.integers(1, 4),
)
async def test_teams_are_ranked_like_a_ranking_in_python(
    teams: TeamsApi, database: Database, groups: list[list[int]], mode: str, best: int
) -> None:
    await delete_all(database)
    await set_mode(database, mode, best)
    people = [
        (number, UUID(int=100 * number + position), km)
        for number, group in enumerate(groups)
        for position, km in enumerate(group, start=1)
    ]
    await handle(database, *(authorized(user_id, "P") for _, user_id, _ in people))
    await handle(database, *(recorded(user_id.int, user_id=user_id, km=km) for _, user_id, km in people if km))
    created: dict[int, int] = {}
    for number, user_id, _ in people:
        if number in created:
            await teams.join(user_id, created[number])
        else:
            created[number] = await teams.create(user_id, f"T{number}")
    assert await read_board(teams) == expected_board(groups, mode, best)
