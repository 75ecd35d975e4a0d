"""The smoke test: all athletes sign in, their activities are fetched, and every row of every board is checked."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.stack import expected_activities, expected_standings
from devstack.stack.expected_standings import Athlete as ExpectedAthlete
from devstack.stack.expected_standings import StandingEntry, parse_entry
from devstack.stack.idle import count_dead_letters, fetch_rows, wait_until_idle
from devstack.stack.sign_in_client import sign_in
from devstack.stack.stack import Athlete, Report, Stack

BASE_TIMEOUT_S = 180.0  # plus the time for the activities
ACTIVITIES_PER_SECOND = 50
CONCURRENT_SIGN_INS = 8
POLL_S = 0.25
IDLE_S = 60.0

#: Athlete id -> (user id, display name).
Users: TypeAlias = dict[int, tuple[str, str]]


@dataclass(frozen=True)
class SmokeResult:
    """What `devstack smoke` prints as JSON."""

    athletes: int
    activities: int
    boards: int
    rows: int
    mismatches: int
    seconds: float


@dataclass(frozen=True)
class SystemState:
    """The data to compare: number of recorded activities by athlete id, and board -> user id -> row."""

    recorded: dict[int, int]
    boards: dict[str, dict[str, StandingEntry]]


async def sign_in_all(stack: Stack, athletes: Iterable[Athlete], concurrency: int) -> None:
    """Sign all athletes in through the public pages, at most `concurrency` at a time; else StackError."""
    semaphore = asyncio.Semaphore(concurrency)

    async def sign_in_one(athlete: Athlete) -> None:
        async with semaphore:
            await sign_in(stack.web_url, athlete.id)

    await gather_or_cancel(*(sign_in_one(athlete) for athlete in athletes))


async def run_smoke_test(stack: Stack, report: Report) -> SmokeResult:
    """Sign all athletes in, wait until the boards are right and the stack is idle, and compare then.

    A difference that remains after the timeout is a mismatch, and so is one that appears after all rows were right.
    """
    started_at = time.monotonic()
    timeout_s = BASE_TIMEOUT_S + sum(len(athlete.activities) for athlete in stack.athletes) / ACTIVITIES_PER_SECOND
    report(f"signing {len(stack.athletes)} athletes in")
    await sign_in_all(stack, stack.athletes, CONCURRENT_SIGN_INS)
    report("waiting for the boards")
    async with httpx.AsyncClient(base_url=stack.leaderboard_url, timeout=30) as client:
        users = await list_users(stack)
        expected = expected_state(stack.athletes, users)
        while True:
            observed = await read_state(stack, client, list(expected.boards), users)
            mismatches = list(list_differences(expected, observed))
            if not mismatches or time.monotonic() - started_at > timeout_s:
                break
            await asyncio.sleep(POLL_S)
        report("waiting until nothing is left to do")
        pending = await wait_until_idle(stack, IDLE_S) | await count_dead_letters(stack)
        observed = await read_state(stack, client, list(expected.boards), users)
        mismatches = [
            *list_differences(expected, observed),
            *(f"{name} still holds {count}" for name, count in pending.items()),
        ]
    for line in mismatches[:20]:
        report(f"mismatch: {line}")
    return SmokeResult(
        athletes=len(stack.athletes),
        activities=sum(observed.recorded.values()),
        boards=len(observed.boards),
        rows=sum(map(len, observed.boards.values())),
        mismatches=len(mismatches),
        seconds=round(time.monotonic() - started_at, 1),
    )


def expected_state(athletes: Iterable[Athlete], users: Users) -> SystemState:
    """The state that the system must reach."""
    activities = {athlete.id: expected_activities.parse_activities(athlete.activities) for athlete in athletes}
    by_user = {
        user_id: ExpectedAthlete(name, activities[athlete_id])
        for athlete_id, (user_id, name) in users.items()
        if athlete_id in activities
    }
    return SystemState(
        {
            athlete_id: len({activity.id for activity in own if not activity.only_me})
            for athlete_id, own in activities.items()
            if own
        },
        {slug: expected_standings.build_board(board, by_user) for slug, board in expected_standings.BOARDS.items()},
    )


def list_differences(expected: SystemState, observed: SystemState) -> Iterable[str]:
    """One line for each athlete with a wrong number of activities, and for each wrong row."""
    for athlete_id in sorted(expected.recorded.keys() | observed.recorded.keys()):
        wanted, found = expected.recorded.get(athlete_id, 0), observed.recorded.get(athlete_id, 0)
        if wanted != found:
            yield f"athlete {athlete_id} has {found} recorded activities, not {wanted}"
    for slug in expected.boards.keys() | observed.boards.keys():
        expected_rows, observed_rows = expected.boards.get(slug, {}), observed.boards.get(slug, {})
        for user_id in expected_rows.keys() | observed_rows.keys():
            if expected_rows.get(user_id) != observed_rows.get(user_id):
                yield f"board {slug} shows {observed_rows.get(user_id)}, not {expected_rows.get(user_id)}"


async def read_state(stack: Stack, client: httpx.AsyncClient, boards: list[str], users: Users) -> SystemState:
    """The current state: the activities in ingest's table and the boards of leaderboard's API."""
    challenge = (await client.get("/challenges/current")).json()
    observed_rows = {}
    for slug in {*boards, *(board["slug"] for board in challenge["boards"])}:
        answer = await client.get(f"/challenges/{challenge['slug']}/boards/{slug}")
        observed_rows[slug] = (
            {row["user_id"]: parse_entry(row) for row in answer.json()["rows"]} if answer.is_success else {}
        )
    return SystemState(await _count_recorded(stack, users), observed_rows)


async def list_users(stack: Stack) -> Users:
    """All users who have signed in."""
    rows = await fetch_rows(
        stack.database_urls["auth"], "select athlete_id, id::text as user_id, display_name from users"
    )
    return {row["athlete_id"]: (row["user_id"], row["display_name"]) for row in rows}


async def _count_recorded(stack: Stack, users: Users) -> dict[int, int]:
    athlete_ids = {user_id: athlete_id for athlete_id, (user_id, _) in users.items()}
    rows = await fetch_rows(
        stack.database_urls["ingest"],
        """select user_id::text, count(distinct strava_id) as activities from activities
           where state = 'recorded' group by user_id""",
    )
    return {athlete_ids[row["user_id"]]: row["activities"] for row in rows}
