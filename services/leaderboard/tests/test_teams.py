"""What participants do with teams, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from leaderboard_helpers import delete_all, emitted_changes, handle
from team_helpers import EVA, TeamsApi, add_other_challenge, add_people, list_memberships, open_teams

from leaderboard.admin.use_cases import close_challenge
from leaderboard.dependencies import Actor
from leaderboard.standings.use_cases import announce_changes
from leaderboard.teams.use_cases import join_team
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, AUTHORIZED_AT, JAN, authorized, erased, renamed
from testkit.waiting import wait_until

STRANGER = UUID(int=77)
BOARDS = ("cycling", "running")


@pytest.fixture
async def teams(database: Database) -> AsyncIterator[TeamsApi]:
    """The API, with three people who ran 1, 2 and 3 km."""
    await add_people(database, {ANNA: 1, JAN: 2, EVA: 3})
    async with open_teams(database) as api:
        yield api


async def test_whoever_creates_a_team_is_in_it(teams: TeamsApi, database: Database) -> None:
    answer = await teams.act("POST", ANNA, "/teams", {"name": "  Night Owls "})
    assert answer.status_code == 201
    assert answer.json() == {"id": 1, "name": "Night Owls", "members": 1, "is_creator": True}
    assert (await teams.act("GET", ANNA, "/team")).json() == answer.json()
    assert await list_memberships(database) == {"Night Owls": {ANNA.int}}


async def test_a_name_is_there_once_in_a_challenge_whatever_its_case(teams: TeamsApi, database: Database) -> None:
    await add_other_challenge(database)
    owls = await teams.create(ANNA, "Night Owls")
    taken = await teams.act("POST", JAN, "/teams", {"name": "NIGHT  owls"})
    assert taken.status_code == 409
    message = "There is a team of the name “NIGHT  owls” already."
    assert taken.json() == {"code": "team_name_taken", "message": message}
    larks = await teams.create(JAN, "Theirs")  # the name of a team of another challenge
    assert (await teams.act("PATCH", JAN, f"/teams/{larks}", {"name": "night owls"})).status_code == 409
    renamed_team = await teams.act("PATCH", ANNA, f"/teams/{owls}", {"name": "NIGHT OWLS"})
    assert renamed_team.json() == {"id": owls, "name": "NIGHT OWLS", "members": 1, "is_creator": True}


async def test_joining_another_team_leaves_the_former_one_which_is_deleted_when_empty(
    teams: TeamsApi, database: Database
) -> None:
    owls, larks = await teams.create(ANNA, "Owls"), await teams.create(JAN, "Larks")
    joined = await teams.join(EVA, larks)
    assert joined.json() == {"id": larks, "name": "Larks", "members": 2, "is_creator": False}
    await teams.join(EVA, owls)
    assert await list_memberships(database) == {"Owls": {ANNA.int, EVA.int}, "Larks": {JAN.int}}
    await teams.join(JAN, owls)
    assert await list_memberships(database) == {"Owls": {ANNA.int, JAN.int, EVA.int}}


async def test_creating_another_team_leaves_the_former_one_whose_name_is_free_then(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "Owls")
    assert await teams.create(ANNA, "OWLS") != owls
    assert await list_memberships(database) == {"OWLS": {ANNA.int}}


async def test_joining_the_own_team_changes_nothing(teams: TeamsApi, database: Database) -> None:
    await execute(database, "update challenges set team_size = 1")
    owls = await teams.create(ANNA, "Owls")
    await announce_changes(database, AUTHORIZED_AT)
    assert (await teams.join(ANNA, owls)).status_code == 200
    assert await fetch_rows(database, "select * from board_changes") == []


async def test_whoever_leaves_is_in_no_team_and_an_empty_one_is_deleted(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    assert (await teams.act("POST", ANNA, "/teams/leave")).status_code == 204
    assert await list_memberships(database) == {"Owls": {JAN.int}}
    assert (await teams.act("GET", ANNA, "/team")).json()["code"] == "no_team"
    again = await teams.act("POST", ANNA, "/teams/leave")
    assert again.status_code == 409
    assert again.json() == {"code": "no_team", "message": "You are in no team of this challenge."}
    await teams.act("POST", JAN, "/teams/leave")
    assert await list_memberships(database) == {}


async def test_only_the_creator_renames_and_deletes_a_team(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    for refused in (
        await teams.act("PATCH", JAN, f"/teams/{owls}", {"name": "Larks"}),
        await teams.act("DELETE", JAN, f"/teams/{owls}"),
    ):
        assert refused.status_code == 403
        assert refused.json() == {"code": "forbidden", "message": "Only whoever created this team can do that."}
    assert (await teams.act("DELETE", ANNA, f"/teams/{owls}")).status_code == 204
    assert await list_memberships(database) == {}
    assert await fetch_rows(database, "select * from team_memberships") == []


async def test_a_full_team_takes_nobody_and_says_so(teams: TeamsApi, database: Database) -> None:
    await execute(database, "update challenges set team_size = 2")
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    full = await teams.join(EVA, owls)
    assert full.status_code == 409
    assert full.json() == {"code": "team_full", "message": "This team is full: a team has at most 2 members."}


async def test_of_people_who_take_the_last_place_at_once_exactly_one_gets_in(
    teams: TeamsApi, database: Database
) -> None:
    crowd = [UUID(int=n) for n in range(10, 18)]
    await handle(database, *(authorized(user_id, f"P {user_id.int}") for user_id in crowd))
    await execute(database, "update challenges set team_size = 2")
    owls = await teams.create(ANNA, "Owls")
    for _ in range(5):
        answers = await asyncio.gather(*(teams.join(user_id, owls) for user_id in crowd))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
        refused = {answer.json()["message"] for answer in answers if answer.status_code == 409}
        assert refused == {"This team is full: a team has at most 2 members."}
        [winner] = [user for user, answer in zip(crowd, answers, strict=True) if answer.status_code == 200]
        assert await list_memberships(database) == {"Owls": {ANNA.int, winner.int}}
        await teams.act("POST", winner, "/teams/leave")


async def test_one_person_who_does_everything_at_once_is_in_one_team(teams: TeamsApi, database: Database) -> None:
    owls, larks = await teams.create(JAN, "Owls"), await teams.create(EVA, "Larks")
    for _ in range(3):
        answers = await asyncio.gather(
            *(teams.join(ANNA, team_id) for team_id in (owls, larks) * 3),
            *(teams.act("POST", ANNA, "/teams", {"name": name}) for name in ("Bats", "BATS", "Cats")),
            teams.act("POST", ANNA, "/teams/leave"),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 409}
        held = await list_memberships(database)
        assert sum(ANNA.int in members for members in held.values()) <= 1
        assert all(held.values())


async def test_one_name_is_given_once_to_those_who_create_it_at_once(teams: TeamsApi, database: Database) -> None:
    answers = await asyncio.gather(
        *(teams.act("POST", user, "/teams", {"name": name}) for user, name in ((ANNA, "A"), (JAN, "a"), (EVA, " A")))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert len(await list_memberships(database)) == 1


async def test_in_a_closed_challenge_participants_change_no_team(teams: TeamsApi, database: Database) -> None:
    owls, larks = await teams.create(ANNA, "Owls"), await teams.create(JAN, "Larks")
    before = await list_memberships(database)
    await execute(database, "update challenges set closed_at = now()")
    await announce_changes(database, AUTHORIZED_AT)
    for refused in (
        await teams.act("POST", EVA, "/teams", {"name": "Bats"}),
        await teams.join(EVA, owls),
        await teams.join(ANNA, larks),
        await teams.act("POST", ANNA, "/teams/leave"),
        await teams.act("PATCH", ANNA, f"/teams/{owls}", {"name": "Bats"}),
        await teams.act("DELETE", ANNA, f"/teams/{owls}"),
    ):
        assert refused.status_code == 409
        assert refused.json() == {
            "code": "challenge_closed",
            "message": "This challenge is closed, so its teams stay as they are.",
        }
    assert await list_memberships(database) == before
    assert await fetch_rows(database, "select * from board_changes") == []
    await handle(database, erased(ANNA))
    assert await list_memberships(database) == {"Larks": {JAN.int}}, "who is erased leaves closed challenges, too"


async def test_closing_a_challenge_waits_for_who_joins_a_team(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    [challenge] = await fetch_rows(database, "select id from challenges")
    async with database.transaction() as joining:
        await join_team(joining, challenge.id, JAN, owls)
        closing = asyncio.create_task(close(database))
        await wait_until(lambda: list_waiting(database), "closing waits for who joins")
    await closing
    assert await list_memberships(database) == {"Owls": {ANNA.int, JAN.int}}


async def test_whoever_joins_a_team_while_its_challenge_is_closed_is_told(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "Owls")
    async with database.transaction() as session:
        await close_challenge(session, Actor("test"), "main", datetime.now(UTC))
        late = asyncio.create_task(teams.join(EVA, owls))
        await wait_until(lambda: list_waiting(database), "who joins waits for closing")
    assert (await late).json()["code"] == "challenge_closed"
    assert await list_memberships(database) == {"Owls": {ANNA.int}}


async def close(database: Database) -> None:
    async with database.transaction() as session:
        await close_challenge(session, Actor("test"), "main", datetime.now(UTC))


async def list_waiting(database: Database) -> list[Any]:
    """Statements that wait for the row of a challenge."""
    waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%FROM challenges%'"
    return await fetch_rows(database, waiting)


async def test_erasures_and_changes_of_teams_at_once_leave_nothing_and_do_not_deadlock(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(JAN, "Owls")
    answers = await asyncio.gather(
        *(teams.join(ANNA, owls) for _ in range(3)),
        *(teams.act("POST", ANNA, "/teams", {"name": "Bats"}) for _ in range(3)),
        handle(database, erased(ANNA)),
        handle(database, erased(EVA)),
        *(teams.join(EVA, owls) for _ in range(3)),
    )
    assert {answer.status_code for answer in answers if answer is not None} <= {200, 201, 404, 409}
    assert await list_memberships(database) == {"Owls": {JAN.int}}


async def test_an_erased_user_leaves_their_teams_and_is_named_as_creator_of_none(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    await teams.create(EVA, "Larks")
    await announce_changes(database, AUTHORIZED_AT)
    await delete_from_outbox(database)
    await handle(database, erased(ANNA), erased(EVA))
    assert await list_memberships(database) == {"Owls": {JAN.int}}
    [row] = await fetch_rows(database, "select created_by from teams")
    assert row.created_by is None
    assert [boards for boards, _ in await emitted_changes(database)] == [BOARDS]


async def delete_from_outbox(database: Database) -> None:
    await execute(database, "delete from outbox")


async def test_every_change_of_a_team_is_told_for_all_boards_of_the_challenge(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "Owls")
    for change in (
        teams.join(JAN, owls),
        teams.act("PATCH", ANNA, f"/teams/{owls}", {"name": "Larks"}),
        teams.act("POST", JAN, "/teams/leave"),
        teams.act("DELETE", ANNA, f"/teams/{owls}"),
        teams.act("POST", ANNA, "/teams", {"name": "Bats"}),
    ):
        await announce_changes(database, AUTHORIZED_AT)
        await delete_from_outbox(database)
        assert (await change).is_success
        await announce_changes(database, AUTHORIZED_AT)
        assert [boards for boards, _ in await emitted_changes(database)] == [BOARDS]


async def test_a_team_of_another_challenge_is_not_there(teams: TeamsApi, database: Database) -> None:
    theirs = await add_other_challenge(database)
    for answer in (
        await teams.join(ANNA, theirs),
        await teams.act("PATCH", ANNA, f"/teams/{theirs}", {"name": "Mine"}),
        await teams.act("DELETE", ANNA, f"/teams/{theirs}"),
        await teams.get(f"/teams/{theirs}"),
        await teams.organise("PATCH", f"/{theirs}", {"name": "Mine"}),
        await teams.organise("DELETE", f"/{theirs}"),
        await teams.organise("PUT", f"/members/{ANNA}", {"team_id": theirs}),
    ):
        assert answer.status_code == 404
        assert answer.json() == {"code": "not_found", "message": "There is no such team in this challenge."}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/teams", {"name": "Bats"}),
        ("POST", "/teams/1/join", None),
        ("POST", "/teams/leave", None),
        ("PATCH", "/teams/1", {"name": "Bats"}),
        ("DELETE", "/teams/1", None),
    ],
)
async def test_only_who_takes_part_and_may_see_the_challenge_does_something(
    teams: TeamsApi, database: Database, method: str, path: str, body: object
) -> None:
    await teams.create(ANNA, "Owls")
    await handle(database, renamed(STRANGER))  # of whom only a name is known
    for user_id in (STRANGER, UUID(int=78)):
        answer = await teams.act(method, user_id, path, body)
        assert answer.status_code == 404
        assert answer.json() == {"code": "not_found", "message": "There is no such participant."}
    await execute(database, "update challenges set visibility = 'hidden'")
    hidden = await teams.act(method, ANNA, path, body)
    assert hidden.status_code == 404
    assert hidden.json() == {"code": "not_found", "message": "There is no such challenge."}
    async with open_teams(database, "the key of somebody else") as other:
        assert (await other.act(method, ANNA, path, body)).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "   "}, "body.name"),
        ({"name": "x" * 61}, "body.name"),
        ({"name": "two\nlines"}, "body.name"),
        ({"name": "nul \x00"}, "body.name"),
        ({"name": "zero\u200bwidth"}, "body.name"),
        ({"name": 5}, "body.name"),
        ({}, "body.name"),
        ({"name": "Owls", "colour": "red"}, "body.colour"),
        ([], "body"),
    ],
)
async def test_a_name_that_cannot_be_is_a_422_with_the_field_and_a_sentence(
    teams: TeamsApi, body: object, field: str
) -> None:
    answer = await teams.act("POST", ANNA, "/teams", body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert answer.json()["message"].startswith(f"{field}: ")
    if isinstance(body, dict) and isinstance(body.get("name"), str) and "colour" not in body:
        sentence = "The name of a team has 1 to 60 characters, and only such as can be printed."
        assert answer.json()["message"] == f"{field}: {sentence}"


@pytest.mark.parametrize("team_id", ["0", "-1", "x", str(2**63), "1e3"])
async def test_an_id_that_cannot_be_is_a_422(teams: TeamsApi, team_id: str) -> None:
    assert (await teams.act("POST", ANNA, f"/teams/{team_id}/join")).status_code == 422
    assert (await teams.get(f"/teams/{team_id}")).status_code == 422


async def test_teams_go_with_their_challenge(teams: TeamsApi, database: Database) -> None:
    await teams.create(ANNA, "Owls")
    await delete_all(database)
    await handle(database, authorized())
    await teams.create(ANNA, "Larks")
    await execute(database, "delete from challenges")
    assert await fetch_rows(database, "select id from teams") == []
    assert await fetch_rows(database, "select team_id from team_memberships") == []


async def test_rows_of_boards_name_the_team_of_this_challenge(teams: TeamsApi, database: Database) -> None:
    await add_other_challenge(database)
    owls = await teams.create(ANNA, "Owls")
    for query in ({}, {"around": str(ANNA)}, {"search": "a"}, {"first_day": "2026-05-01", "last_day": "2026-05-31"}):
        rows = (await teams.client.get("/challenges/main/boards/running", params=query)).json()["rows"]
        named = {row["user_id"]: (row["team_id"], row["team_name"]) for row in rows}
        assert named.pop(str(ANNA)) == (owls, "Owls")
        assert set(named.values()) <= {(None, None)}
