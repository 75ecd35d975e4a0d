"""What organisers do with teams, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from leaderboard_helpers import emitted_changes, handle
from team_helpers import BOSS, EVA, TeamsApi, add_people, list_memberships, open_teams

from leaderboard.standings.use_cases import announce_changes
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, AUTHORIZED_AT, JAN, authorized, erased

PEOPLE = [UUID(int=n) for n in range(1, 8)]
STRANGER = UUID(int=77)


@pytest.fixture
async def teams(database: Database) -> AsyncIterator[TeamsApi]:
    """The API, with seven people, of whom the first ran 7 km, the last 1 km."""
    await add_people(database, {user_id: 8 - user_id.int for user_id in PEOPLE})
    async with open_teams(database) as api:
        yield api


async def list_audit(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, subject and details of each entry; all are the organiser's."""
    rows = await fetch_rows(database, "select * from audit_log order by id")
    assert all((row.actor, row.actor_id) == (f"user {BOSS}", BOSS) for row in rows)
    return [(row.action, row.subject, row.details) for row in rows]


async def test_an_organiser_renames_any_team(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.create(JAN, "Bats")
    answer = await teams.organise("PATCH", f"/{owls}", {"name": "Larks"})
    assert answer.json() == {"id": owls, "name": "Larks", "members": 1}
    assert (await teams.organise("PATCH", f"/{owls}", {"name": "BATS"})).status_code == 409
    details = {"challenge": "main", "before": "Owls", "after": "Larks"}
    assert await list_audit(database) == [("team.renamed", str(owls), details)]


async def test_an_organiser_deletes_any_team(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.join(JAN, owls)
    assert (await teams.organise("DELETE", f"/{owls}")).status_code == 204
    assert await list_memberships(database) == {}
    details = {"challenge": "main", "name": "Owls", "members": 2}
    assert await list_audit(database) == [("team.deleted", str(owls), details)]


async def test_an_organiser_puts_people_into_a_team_and_takes_them_out(teams: TeamsApi, database: Database) -> None:
    owls, larks = await teams.create(ANNA, "Owls"), await teams.create(JAN, "Larks")
    for team_id in (owls, larks, None):
        assert (await teams.organise("PUT", f"/members/{EVA}", {"team_id": team_id})).status_code == 204
    assert await list_memberships(database) == {"Owls": {ANNA.int}, "Larks": {JAN.int}}
    changes = [(None, owls), (owls, larks), (larks, None)]
    assert await list_audit(database) == [
        ("participant.assigned_to_team", str(EVA), {"challenge": "main", "before": before, "after": after})
        for before, after in changes
    ]


async def test_the_cap_holds_for_organisers_too(teams: TeamsApi, database: Database) -> None:
    await execute(database, "update challenges set team_size = 1")
    owls = await teams.create(ANNA, "Owls")
    full = await teams.organise("PUT", f"/members/{JAN}", {"team_id": owls})
    assert full.json() == {"code": "team_full", "message": "This team is full: a team has at most 1 members."}
    unknown = await teams.organise("PUT", f"/members/{STRANGER}", {"team_id": owls})
    assert (unknown.status_code, unknown.json()["message"]) == (404, "There is no such participant.")
    assert await list_audit(database) == []


async def test_in_a_closed_challenge_organisers_change_no_team_either(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await execute(database, "update challenges set closed_at = now()")
    for refused in (
        await teams.organise("PATCH", f"/{owls}", {"name": "Larks"}),
        await teams.organise("DELETE", f"/{owls}"),
        await teams.organise("PUT", f"/members/{JAN}", {"team_id": owls}),
        await teams.organise("PUT", f"/members/{ANNA}", {"team_id": None}),
        await teams.organise("POST", "/deal", {"teams": 2, "how": "random", "everybody": True}),
    ):
        assert refused.status_code == 409
        assert refused.json() == {
            "code": "challenge_closed",
            "message": "This challenge is closed, so its teams stay as they are.",
        }
    assert await list_memberships(database) == {"Owls": {ANNA.int}}
    assert await list_audit(database) == []


async def test_people_are_dealt_out_evenly_by_what_they_have(teams: TeamsApi, database: Database) -> None:
    answer = await teams.organise("POST", "/deal", {"teams": ["Owls", " Larks", "Bats"], "how": "evenly"})
    assert answer.status_code == 200
    assert answer.json() == {
        "seed": None,
        "teams": [
            {"id": 1, "name": "Owls", "members": 3},
            {"id": 2, "name": "Larks", "members": 2},
            {"id": 3, "name": "Bats", "members": 2},
        ],
    }
    assert await list_memberships(database) == {"Owls": {1, 6, 7}, "Larks": {2, 5}, "Bats": {3, 4}}
    details = {"how": "evenly", "seed": None, "everybody": False, "teams": 3, "people": 7}
    assert await list_audit(database) == [("teams.dealt", "main", details)]


async def test_only_those_without_a_team_are_dealt_out_to_new_teams(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Team 2")
    await teams.join(JAN, owls)
    assert (await teams.organise("POST", "/deal", {"teams": 2, "how": "evenly"})).status_code == 200
    assert await list_memberships(database) == {"Team 2": {1, 2}, "Team 1": {3, 6, 7}, "Team 3": {4, 5}}
    again = await teams.organise("POST", "/deal", {"teams": 1, "how": "evenly"})
    assert again.status_code == 409
    assert again.json()["message"] == "There are fewer people to deal out (0) than teams (1)."


async def test_everybody_is_dealt_out_anew_and_teams_that_are_empty_then_are_deleted(
    teams: TeamsApi, database: Database
) -> None:
    owls = await teams.create(ANNA, "OWLS")
    await teams.create(JAN, "Larks")
    wish = {"teams": ["Owls", "Bats"], "how": "evenly", "everybody": True}
    answer = await teams.organise("POST", "/deal", wish)
    assert answer.json()["teams"][0] == {"id": owls, "name": "Owls", "members": 3}
    assert await list_memberships(database) == {"Owls": {1, 4, 5}, "Bats": {2, 3, 6, 7}}
    creators = await fetch_rows(database, "select created_by from teams")
    assert [row.created_by for row in creators] == [None, None]


async def test_a_seed_deals_the_same_teams_again_and_one_that_is_drawn_is_told(
    teams: TeamsApi, database: Database
) -> None:
    wish = {"teams": 3, "how": "random", "everybody": True}
    drawn = (await teams.organise("POST", "/deal", wish)).json()["seed"]
    first = await list_memberships(database)
    outcomes = []
    for seed in range(5):
        assert (await teams.organise("POST", "/deal", {**wish, "seed": seed})).json()["seed"] == seed
        outcomes.append(await list_memberships(database))
    await teams.organise("POST", "/deal", {**wish, "seed": drawn})
    assert await list_memberships(database) == first
    assert any(outcome != first for outcome in outcomes)
    assert all(sorted(map(len, outcome.values())) == [2, 2, 3] for outcome in outcomes)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"teams": 1}, "A team has at most 5 members, so that 7 people need at least 2 teams."),
        ({"teams": 8}, "There are fewer people to deal out (7) than teams (8)."),
        ({"teams": ["Owls", "OWLS"]}, "The name “OWLS” is given to two teams."),
    ],
)
async def test_a_deal_that_is_not_possible_is_a_409_and_changes_nothing(
    teams: TeamsApi, database: Database, wish: dict[str, Any], message: str
) -> None:
    answer = await teams.organise("POST", "/deal", {"how": "random", **wish})
    assert (answer.status_code, answer.json()["message"]) == (409, message)
    assert (await list_memberships(database), await list_audit(database)) == ({}, [])


async def test_a_deal_takes_no_name_of_a_team_that_stays(teams: TeamsApi, database: Database) -> None:
    await teams.create(ANNA, "Owls")
    answer = await teams.organise("POST", "/deal", {"teams": ["Larks", "owls"], "how": "evenly"})
    assert answer.status_code == 409
    assert answer.json() == {"code": "team_name_taken", "message": "There is a team of the name “owls” already."}
    assert await list_memberships(database) == {"Owls": {ANNA.int}}


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"teams": 0, "how": "evenly"}, "body.teams.count"),
        ({"teams": 2001, "how": "evenly"}, "body.teams.count"),
        ({"teams": "3", "how": "evenly"}, "body.teams.count"),
        ({"teams": True, "how": "evenly"}, "body.teams.count"),
        ({"teams": [], "how": "evenly"}, "body.teams.names"),
        ({"teams": ["Owls", " "], "how": "evenly"}, "body.teams.names.1"),
        ({"teams": 2, "how": "fairly"}, "body.how"),
        ({"teams": 2, "how": "random", "seed": -1}, "body.seed"),
        ({"teams": 2, "how": "random", "seed": 2**53}, "body.seed"),
        ({"teams": 2, "how": "random", "everbody": True}, "body.everbody"),
        ({"how": "random"}, "body.teams"),
    ],
)
async def test_a_wish_that_cannot_be_is_a_422_with_the_field(teams: TeamsApi, wish: object, field: str) -> None:
    answer = await teams.organise("POST", "/deal", wish)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("team_id", [0, -1, 2**63, "7", True, 1.5])
async def test_a_team_that_cannot_be_is_a_422(teams: TeamsApi, team_id: object) -> None:
    answer = await teams.organise("PUT", f"/members/{ANNA}", {"team_id": team_id})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("body.team_id: ")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/1", {"name": "Bats"}),
        ("DELETE", "/1", None),
        ("PUT", f"/members/{JAN}", {"team_id": 1}),
        ("POST", "/deal", {"teams": 2, "how": "random"}),
    ],
)
async def test_only_organisers_administer_teams(
    teams: TeamsApi, database: Database, method: str, path: str, body: object
) -> None:
    await teams.create(ANNA, "Owls")
    for headers in (
        {"Gruppetto-User": str(ANNA)},
        {"Gruppetto-Organiser": "true"},
        {"Gruppetto-User": str(BOSS), "Gruppetto-Organiser": "true", "Authorization": "Bearer another"},
    ):
        url = f"/admin/challenges/main/teams{path}"
        refused = await teams.client.request(method, url, json=body, headers=headers)
        assert refused.status_code == 403
    assert await list_memberships(database) == {"Owls": {ANNA.int}}
    await execute(database, "update challenges set visibility = 'hidden'")
    assert (await teams.organise(method, path, body)).is_success  # who may see what is hidden


async def test_what_organisers_change_is_told_for_all_boards(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    for method, path, body in (
        ("PATCH", f"/{owls}", {"name": "Bats"}),
        ("PUT", f"/members/{JAN}", {"team_id": owls}),
        ("DELETE", f"/{owls}", None),
        ("POST", "/deal", {"teams": 2, "how": "random"}),
    ):
        await announce_changes(database, AUTHORIZED_AT)
        await execute(database, "delete from outbox")
        assert (await teams.organise(method, path, body)).is_success
        await announce_changes(database, AUTHORIZED_AT)
        assert [boards for boards, _ in await emitted_changes(database)] == [("cycling", "running")]


async def test_deals_joins_and_erasures_at_once_keep_the_cap_and_one_team_each(
    teams: TeamsApi, database: Database
) -> None:
    crowd = [UUID(int=n) for n in range(1, 41)]
    await handle(database, *(authorized(user_id, f"P {user_id.int}") for user_id in crowd[7:]))
    owls = await teams.create(ANNA, "Owls")
    wish = {"teams": 8, "how": "random", "everybody": True}
    answers = await asyncio.gather(
        *(teams.organise("POST", "/deal", wish) for _ in range(3)),
        *(teams.join(user_id, owls) for user_id in crowd[1:9]),
        *(teams.act("POST", user, "/teams", {"name": f"Of {user.int}"}) for user in crowd[9:14]),
        handle(database, *(erased(user_id) for user_id in crowd[30:])),
    )
    assert {answer.status_code for answer in answers if answer is not None} <= {200, 201, 404, 409}
    held = await list_memberships(database)
    assert all(1 <= len(members) <= 5 for members in held.values())
    everybody = [member for members in held.values() for member in members]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) <= set(range(1, 31))


async def test_the_audit_log_forgets_who_was_assigned_and_is_erased(teams: TeamsApi, database: Database) -> None:
    owls = await teams.create(ANNA, "Owls")
    await teams.organise("PUT", f"/members/{JAN}", {"team_id": owls})
    await handle(database, erased(JAN))
    [(_, subject, _)] = await list_audit(database)
    assert subject == "an erased user"
