"""The API of teams, as web calls it for somebody."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from leaderboard_helpers import WEB_KEY, add_challenge, clear_outbox, create_app, handle

from leaderboard.participants.use_cases import choose_listed
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded

EVA = UUID(int=3)
UWE = UUID(int=4)
BOSS = UUID(int=99)
NAMES = {ANNA: "Anna K.", JAN: "Jan N.", EVA: "Ewa W."}


@dataclass(frozen=True)
class TeamsApi:
    """Calls with web's key; the answers are given as they come."""

    client: httpx.AsyncClient

    async def get(self, path: str, **query: int) -> httpx.Response:
        return await self.client.get(f"/challenges/main{path}", params=query)

    async def act(self, method: str, user_id: UUID, path: str, body: object = None) -> httpx.Response:
        """What a participant does."""
        return await self.client.request(method, f"/participants/{user_id}/challenges/main{path}", json=body)

    async def create(self, user_id: UUID, name: str) -> int:
        """A team, which has to come about; returns its id."""
        answer = await self.act("POST", user_id, "/teams", {"name": name})
        assert answer.status_code == 201, answer.text
        team_id: int = answer.json()["id"]
        return team_id

    async def join(self, user_id: UUID, team_id: int) -> httpx.Response:
        return await self.act("POST", user_id, f"/teams/{team_id}/join")

    async def organise(self, method: str, path: str, body: object = None) -> httpx.Response:
        """What an organiser does."""
        headers = {"Gruppetto-User": str(BOSS), "Gruppetto-Organiser": "true"}
        return await self.client.request(method, f"/admin/challenges/main/teams{path}", json=body, headers=headers)


@asynccontextmanager
async def open_teams(database: Database, key: str = WEB_KEY) -> AsyncIterator[TeamsApi]:
    """The API over this database."""
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=headers) as client:
        yield TeamsApi(client)


async def add_people(database: Database, kilometres: Mapping[UUID, float], **challenge: Any) -> None:
    """A challenge and participants who ran so far; whoever ran nothing has no activity."""
    await add_challenge(database, **challenge)
    await handle(database, *(authorized(user_id, NAMES.get(user_id, f"P {user_id.int}")) for user_id in kilometres))
    runs = [recorded(user_id.int, user_id=user_id, km=km) for user_id, km in kilometres.items() if km]
    await handle(database, *runs)
    await clear_outbox(database)


async def hide(database: Database, user_id: UUID) -> None:
    async with database.transaction() as session:
        await choose_listed(session, user_id, listed=False)


async def add_other_challenge(database: Database, visibility: str = "public") -> int:
    """A challenge `other` with one team of nobody; returns the team's id."""
    await execute(
        database,
        """insert into challenges (id, slug, name, first_day, last_day, time_zone, visibility, counts_manual,
             counts_trainer, counts_commute, changed_at)
           values (50, 'other', 'Other', '2026-06-01', '2026-06-30', 'Europe/Warsaw', :visibility, true, true, true,
             now())""",
        visibility=visibility,
    )
    [row] = await fetch_rows(
        database, "insert into teams (challenge_id, name, folded_name) values (50, 'Theirs', 'theirs') returning id"
    )
    team_id: int = row.id
    return team_id


async def list_memberships(database: Database) -> dict[str, set[int]]:
    """Team -> its members; a team of nobody has none."""
    rows = await fetch_rows(
        database,
        """select name, array_agg(user_id) filter (where user_id is not null) as members
           from teams left join team_memberships on team_id = id group by teams.id""",
    )
    return {row.name: {user_id.int for user_id in row.members or ()} for row in rows}
