"""Whatever happens, is chosen and is changed: boards, milestones and team boards are those that are expected.

They are computed by `expected_standings`, which shares no code with leaderboard, from what was said in the test.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from leaderboard_helpers import ORGANISER, build, create_app, delete_all, handle
from storm_helpers import (
    PEOPLE,
    TEAM_SIZE,
    ActivityEvent,
    an_event,
    owner_of,
    share_time,
    some_choices,
    some_rules,
    to_expected_activity,
    to_expected_board,
    to_expected_choices,
)

from devstack.stack.expected_activities import Activity
from devstack.stack.expected_standings import (
    Athlete,
    StandingEntry,
    TeamEntry,
    build_board,
    build_team_board,
    find_moments,
)
from leaderboard.milestones.use_cases import update_milestones
from leaderboard.versions.use_cases import begin_rebuild, build_next, publish_complete
from shared.contracts.events import ActivityRemoved
from shared.database.engine import Database
from testkit.databases import execute
from testkit.events import authorized, erased

BOARDS = ("first", "second", "third")
MILESTONES = ("far", "further")


@dataclass
class Storm:
    """A challenge, everything that may happen to it, and what did."""

    api: httpx.AsyncClient
    database: Database
    chance: Random
    versions: int = 0  # of activities that were emitted
    late: list[ActivityEvent] = field(default_factory=list)  # not delivered yet, or once more
    newest: dict[int, int] = field(default_factory=dict)
    activities: dict[int, Activity] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    excluded: set[tuple[str, int]] = field(default_factory=set)
    preferred: set[int] = field(default_factory=set)
    private: set[UUID] = field(default_factory=set)
    hidden: set[tuple[str, UUID]] = field(default_factory=set)
    team_of: dict[UUID, int] = field(default_factory=dict)
    people: list[UUID] = field(default_factory=lambda: list(PEOPLE))
    challenge: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def begin(self) -> None:
        await execute(self.database, "delete from challenges")
        await delete_all(self.database)
        self.challenge = some_choices(self.chance)
        self.rules = {slug: self._draw_rules(slug) for slug in (*BOARDS, *MILESTONES)}
        boards = [{"slug": slug, **rules} for slug, rules in self.rules.items()]
        await self._ask("POST", "/admin/challenges", {"slug": "main", **self.challenge, "boards": boards}, {201})
        await handle(self.database, *(authorized(person, str(person)) for person in PEOPLE))

    def _draw_rules(self, slug: str) -> dict[str, Any]:
        return some_rules(self.chance, slug, is_milestone=slug in MILESTONES)

    async def _ask(self, method: str, path: str, body: object, expected: set[int]) -> httpx.Response:
        answer = await self.api.request(method, path, json=body)
        assert answer.status_code in expected, answer.text
        return answer

    async def deliver_activities(self) -> None:
        for _ in range(6):
            self.versions += 1
            self.late.append(an_event(self.chance, self.versions))
        self.chance.shuffle(self.late)
        batch = {event.strava_id: event for event in self.late[:8]}
        again = [event for event in batch.values() if self.chance.random() < 0.1]
        self.late = [event for event in self.late if event not in batch.values()] + again
        await handle(self.database, *batch.values(), one_by_one=self.chance.random() < 0.3)
        for strava_id, event in batch.items():
            if event.user_id in self.people and event.version > self.newest.get(strava_id, 0):
                self.newest[strava_id] = event.version
                self._note_activity(strava_id, event)

    def _note_activity(self, strava_id: int, event: ActivityEvent) -> None:
        if isinstance(event, ActivityRemoved):
            self.removed.add(strava_id)
        else:
            self.activities[strava_id] = to_expected_activity(event)
            self.removed.discard(strava_id)

    async def exclude_activity(self) -> None:
        method, by = self.chance.choice(["PUT", "PUT", "DELETE"]), self.chance.choice(["participant", "organiser"])
        strava_id = self._pick_activity()
        whose = "/admin" if by == "organiser" else f"/participants/{owner_of(strava_id)}"
        body = {"reason": "This was a car ride."} if (by, method) == ("organiser", "PUT") else None
        if await self._choose(method, f"{whose}/activities/{strava_id}/exclusion", strava_id, body):
            (self.excluded.add if method == "PUT" else self.excluded.discard)((by, strava_id))

    async def prefer_activity(self) -> None:
        method, strava_id = self.chance.choice(["PUT", "PUT", "DELETE"]), self._pick_activity()
        path = f"/participants/{owner_of(strava_id)}/activities/{strava_id}/preference"
        if await self._choose(method, path, strava_id):
            self.preferred.discard(strava_id)
            if method == "PUT":
                one = self.activities[strava_id]
                rivals = {each for each in self.preferred if owner_of(each) == owner_of(strava_id)}
                self.preferred -= {each for each in rivals if share_time(self.activities[each], one)}
                self.preferred.add(strava_id)

    def _pick_activity(self) -> int:
        return self.chance.choice(sorted(self.activities) or [1])

    async def _choose(self, method: str, path: str, strava_id: int, body: object = None) -> bool:
        """Whether that could be chosen about the activity."""
        is_here = strava_id in self.activities.keys() - self.removed
        await self._ask(method, path, body, {204 if is_here else 404})
        return is_here

    async def choose_private(self) -> None:
        person, count = self.chance.choice(self.people), self.chance.random() < 0.6
        await self._ask("PUT", f"/participants/{person}/private-activities", {"count": count}, {204})
        (self.private.add if count else self.private.discard)(person)

    async def hide_or_show(self) -> None:
        person, hide, by = self.chance.choice(self.people), self.chance.random() < 0.4, self.chance.choice("po")
        if by == "p":
            await self._ask("PUT", f"/participants/{person}/listing", {"listed": not hide}, {204})
        else:
            await self._ask("POST", f"/admin/participants/{person}/{'hide' if hide else 'show'}", None, {200})
        (self.hidden.add if hide else self.hidden.discard)((by, person))

    async def change_team(self) -> None:
        person, team = self.chance.choice(self.people), self.chance.choice([None, None, *self.team_of.values()])
        teams = f"/participants/{person}/challenges/main/teams"
        if self.chance.random() < 0.1:
            await self._ask("POST", f"{teams}/leave", None, {204 if person in self.team_of else 409})
            self.team_of.pop(person, None)
        elif team is None:
            created = await self._ask("POST", teams, {"name": f"Team {self.chance.random()}"}, {201})
            self.team_of[person] = created.json()["id"]
        else:
            is_full = list(self.team_of.values()).count(team) == TEAM_SIZE and self.team_of.get(person) != team
            await self._ask("POST", f"{teams}/{team}/join", None, {409 if is_full else 200})
            if not is_full:
                self.team_of[person] = team

    async def change_rules(self) -> None:
        slug = self.chance.choice([None, *BOARDS, *MILESTONES])
        if slug is None:
            self.challenge = some_choices(self.chance)
            path, wanted = "", self.challenge
        else:
            self.rules[slug] = self._draw_rules(slug)
            path, wanted = f"/boards/{slug}", self.rules[slug]
        seen = (await self.api.get("/admin/challenges/main")).json()["edition"]
        await self._ask("PUT", f"/admin/challenges/main{path}", {**wanted, "edition": seen}, {200})

    async def erase_somebody(self) -> None:
        if len(self.people) < len(PEOPLE) or self.chance.random() < 0.7:
            return
        person = self.people.pop(self.chance.randrange(len(PEOPLE)))
        await handle(self.database, erased(person))
        self.team_of.pop(person, None)
        self.activities = {key: one for key, one in self.activities.items() if owner_of(key) != person}

    async def work_in_background(self) -> None:
        if self.chance.random() < 0.2:
            await begin_rebuild(self.database)
        for _ in range(self.chance.randrange(4)):
            await self.chance.choice([build_next, publish_complete, update_milestones])(self.database)

    async def check(self) -> None:
        """Once nothing is left to do, all is shown as it is expected."""
        await build(self.database)
        while await update_milestones(self.database):
            pass
        athletes, choices = self._list_athletes(), to_expected_choices(self.challenge)
        for slug in MILESTONES:
            threshold = Decimal(self.rules[slug]["threshold"])
            expected = find_moments(to_expected_board(self.rules[slug]), threshold, athletes, choices)
            assert await self._read_moments(slug) == expected, slug
        for slug in BOARDS:
            board = to_expected_board(self.rules[slug])
            assert await self._read_board(slug) == build_board(board, athletes, choices), slug
            mode, best = self.rules[slug]["team_mode"], self.rules[slug]["team_best"]
            team_board = build_team_board(board, self._list_teams(), athletes, choices, mode=mode, best=best)
            assert await self._read_team_board(slug) == team_board, slug

    def _list_athletes(self) -> dict[str, Athlete]:
        own: dict[UUID, list[Activity]] = defaultdict(list)
        for strava_id, activity in self.activities.items():
            if strava_id not in self.removed:
                own[owner_of(strava_id)].append(activity)
        excluded, hidden = {strava_id for _, strava_id in self.excluded}, {person for _, person in self.hidden}
        return {
            str(person): Athlete(str(person), own[person], excluded, self.preferred, person in self.private)
            for person in self.people
            if person not in hidden
        }

    def _list_teams(self) -> dict[str, list[str]]:
        teams: dict[str, list[str]] = defaultdict(list)
        for person, team in self.team_of.items():
            teams[str(team)].append(str(person))
        return teams

    async def _read(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._ask("GET", f"/challenges/main{path}", None, {200})).json()["rows"]
        return rows

    async def _read_board(self, slug: str) -> dict[str, StandingEntry]:
        return {
            row["user_id"]: StandingEntry(
                row["place"],
                row["display_name"],
                Decimal(str(row["distance_m"])),
                row["moving_time_s"],
                Decimal(str(row["elev_gain_m"])),
                row["activities"],
                Decimal(str(row["points"])),
            )
            for row in await self._read(f"/boards/{slug}")
        }

    async def _read_team_board(self, slug: str) -> dict[str, TeamEntry]:
        return {
            str(row["team_id"]): TeamEntry(
                row["place"], row["members"], Decimal(str(row["value"])), row["activities"]
            )
            for row in await self._read(f"/boards/{slug}/teams")
        }

    async def _read_moments(self, slug: str) -> dict[str, datetime]:
        rows = await self._read(f"/milestones/{slug}")
        return {row["user_id"]: datetime.fromisoformat(row["reached_at"]) for row in rows}


@pytest.fixture
async def api(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database))
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        yield client


@pytest.mark.timeout(600)  # on a busy machine
@settings(
    max_examples=5,
    phases=[Phase.generate],  # a seed cannot be made simpler
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
async def test_after_any_storm_all_that_is_shown_is_as_it_is_expected(
    api: httpx.AsyncClient, database: Database, seed: int
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
    for number in range(50):
        if number == 25:
            await storm.check()
        [something] = storm.chance.choices(list(happens), list(happens.values()))
        await something()
    await storm.check()
