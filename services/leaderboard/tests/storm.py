"""Everything that may happen to a challenge, and what has to be shown then.

That is computed by `expected_standings`, which shares no code with leaderboard, from what was said here.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
from leaderboard_helpers import build, delete_all, handle
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
    parse_entry,
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
    """A challenge, everything that may happen to it, and what did.

    Several may share what did, each with another chance and unless they are `alone`: what the others do at the same
    time may be in the way of what one of them asks for, and the answers tell. Only one has the activities of a person
    delivered and says which of them is preferred.
    """

    api: httpx.AsyncClient
    database: Database
    chance: Random
    alone: bool = True
    mine: list[UUID] = field(default_factory=lambda: list(PEOPLE))  # about whom something happens
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
    #: Edition of the challenge -> its settings (None) or a board's rules since then; the first are of edition 0.
    edits: dict[int, dict[str | None, dict[str, Any]]] = field(default_factory=dict)

    async def begin(self) -> None:
        await execute(self.database, "delete from challenges")
        await delete_all(self.database)
        choices = some_choices(self.chance)
        rules = {slug: self._draw_rules(slug) for slug in (*BOARDS, *MILESTONES)}
        self.edits[0] = {None: choices, **rules}
        boards = [{"slug": slug, **each} for slug, each in rules.items()]
        await self._ask("POST", "/admin/challenges", {"slug": "main", **choices, "boards": boards}, {201})
        await handle(self.database, *(authorized(person, str(person)) for person in PEOPLE))

    def _draw_rules(self, slug: str) -> dict[str, Any]:
        return some_rules(self.chance, slug, is_milestone=slug in MILESTONES)

    async def _ask(self, method: str, path: str, body: object, expected: set[int]) -> httpx.Response:
        answer = await self.api.request(method, path, json=body)
        possible = expected if self.alone else expected | {200, 201, 204, 404, 409}
        assert answer.status_code in possible, (answer.status_code, answer.text)
        return answer

    async def deliver_activities(self) -> None:
        for _ in range(6):
            self.versions += 1
            self.late.append(an_event(self.chance, self.versions, self.mine))
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
        own = [strava_id for strava_id in sorted(self.activities) if owner_of(strava_id) in self.mine]
        return self.chance.choice(own or [self.mine[0].int])

    def _pick_person(self) -> UUID:
        return self.chance.choice([person for person in self.people if person in self.mine])

    async def _choose(self, method: str, path: str, strava_id: int, body: object = None) -> bool:
        """Whether that could be chosen about the activity."""
        is_here = strava_id in self.activities.keys() - self.removed
        answer = await self._ask(method, path, body, {204 if is_here else 404})
        return answer.is_success

    async def choose_private(self) -> None:
        person, count = self._pick_person(), self.chance.random() < 0.6
        answer = await self._ask("PUT", f"/participants/{person}/private-activities", {"count": count}, {204})
        if answer.is_success:
            (self.private.add if count else self.private.discard)(person)

    async def hide_or_show(self) -> None:
        person, hide, by = self._pick_person(), self.chance.random() < 0.4, self.chance.choice("po")
        if by == "p":
            answer = await self._ask("PUT", f"/participants/{person}/listing", {"listed": not hide}, {204})
        else:
            path = f"/admin/participants/{person}/{'hide' if hide else 'show'}"
            answer = await self._ask("POST", path, None, {200})
        if answer.is_success:
            (self.hidden.add if hide else self.hidden.discard)((by, person))

    async def change_team(self) -> None:
        person, team = self._pick_person(), self.chance.choice([None, None, *self.team_of.values()])
        teams = f"/participants/{person}/challenges/main/teams"
        if self.chance.random() < 0.1:
            await self._ask("POST", f"{teams}/leave", None, {204 if person in self.team_of else 409})
            self.team_of.pop(person, None)
        elif team is None:
            created = await self._ask("POST", teams, {"name": f"Team {self.chance.random()}"}, {201})
            if created.is_success:
                self.team_of[person] = created.json()["id"]
        else:
            is_full = list(self.team_of.values()).count(team) == TEAM_SIZE and self.team_of.get(person) != team
            joined = await self._ask("POST", f"{teams}/{team}/join", None, {409 if is_full else 200})
            if joined.is_success:
                self.team_of[person] = team

    async def change_rules(self) -> None:
        slug = self.chance.choice([None, *BOARDS, *MILESTONES])
        wanted = some_choices(self.chance) if slug is None else self._draw_rules(slug)
        path = "/admin/challenges/main" + (f"/boards/{slug}" if slug else "")
        seen = (await self.api.get("/admin/challenges/main")).json()["edition"]
        answer = await self._ask("PUT", path, {**wanted, "edition": seen}, {200})
        if answer.is_success:
            edition = answer.json()["edition"]
            assert edition not in self.edits, "two changed the same edition"
            self.edits[edition] = {slug: wanted}

    async def erase_somebody(self) -> None:
        if len(self.people) < len(PEOPLE) or self.chance.random() < 0.7:
            return
        person = self._pick_person()
        self.people.remove(person)
        await handle(self.database, erased(person))
        self.team_of.pop(person, None)
        for strava_id in [key for key in self.activities if owner_of(key) == person]:
            del self.activities[strava_id]

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
        rules = {slug: each for _, edit in sorted(self.edits.items()) for slug, each in edit.items()}
        athletes, choices = self._list_athletes(), to_expected_choices(rules[None])
        for slug in MILESTONES:
            threshold = Decimal(rules[slug]["threshold"])
            expected = find_moments(to_expected_board(rules[slug]), threshold, athletes, choices)
            assert await self._read_moments(slug) == expected, slug
        for slug in BOARDS:
            board = to_expected_board(rules[slug])
            assert await self._read_board(slug) == build_board(board, athletes, choices), slug
            mode, best = rules[slug]["team_mode"], rules[slug]["team_best"]
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
            if person in self.people:
                teams[str(team)].append(str(person))
        assert all(len(members) <= TEAM_SIZE for members in teams.values()), teams
        return teams

    async def _read(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._ask("GET", f"/challenges/main{path}", None, {200})).json()["rows"]
        return rows

    async def _read_board(self, slug: str) -> dict[str, StandingEntry]:
        return {row["user_id"]: parse_entry(row) for row in await self._read(f"/boards/{slug}")}

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
