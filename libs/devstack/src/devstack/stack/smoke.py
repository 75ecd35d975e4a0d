"""The main job once: everybody signs in, everything is fetched, every row of every board is checked."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import httpx

from devstack.process.gather_or_cancel import together
from devstack.stack import expected_standings
from devstack.stack.expected_standings import Row
from devstack.stack.idle import dead_letters, query, until_idle
from devstack.stack.sign_in_client import sign_in
from devstack.stack.stack import Athlete, Say, Stack

SETTLE_S = 180.0  # for a small club; more activities are given more time
ACTIVITIES_A_SECOND = 50
SIGN_INS_AT_A_TIME = 8
POLL_S = 0.25
IDLE_S = 60.0

#: Athlete -> user id and display name.
Names: TypeAlias = dict[int, tuple[str, str]]


@dataclass(frozen=True)
class Result:
    """What `make smoke` prints."""

    athletes: int
    activities: int
    boards: int
    rows: int
    mismatches: int
    seconds: float


@dataclass(frozen=True)
class Observed:
    """What the system holds: recorded activities by athlete, and the boards' rows."""

    recorded: dict[int, int]
    boards: dict[str, dict[str, Row]]


async def sign_everybody_in(stack: Stack, athletes: Iterable[Athlete], at_a_time: int) -> None:
    """Through the real pages, some at a time. Raises StackError when somebody cannot."""
    gate = asyncio.Semaphore(at_a_time)

    async def one(athlete: Athlete) -> None:
        async with gate:
            await sign_in(stack.web_url, athlete.id)

    await together(*(one(athlete) for athlete in athletes))


async def check(stack: Stack, say: Say) -> Result:
    """Sign everybody in, wait until the boards are right and nothing is left to do, and compare then.

    What is still wrong much later is a mismatch, and so is what became wrong after it had been right.
    """
    began = time.monotonic()
    patience_s = SETTLE_S + sum(len(athlete.activities) for athlete in stack.athletes) / ACTIVITIES_A_SECOND
    say(f"signing {len(stack.athletes)} athletes in")
    await sign_everybody_in(stack, stack.athletes, SIGN_INS_AT_A_TIME)
    say("waiting for the boards")
    async with httpx.AsyncClient(base_url=stack.leaderboard_url, timeout=30) as client:
        names = await names_of(stack)
        wanted = expected(stack.athletes, names)
        while True:
            observed = await observe(stack, client, list(wanted.boards), names)
            wrong = list(differences(wanted, observed))
            if not wrong or time.monotonic() - began > patience_s:
                break
            await asyncio.sleep(POLL_S)
        say("waiting until nothing is left to do")
        left = await until_idle(stack, IDLE_S) | await dead_letters(stack)
        observed = await observe(stack, client, list(wanted.boards), names)
        wrong = [*differences(wanted, observed), *(f"{name} still holds {count}" for name, count in left.items())]
    for line in wrong[:20]:
        say(f"mismatch: {line}")
    return Result(
        athletes=len(stack.athletes),
        activities=sum(observed.recorded.values()),
        boards=len(observed.boards),
        rows=sum(map(len, observed.boards.values())),
        mismatches=len(wrong),
        seconds=round(time.monotonic() - began, 1),
    )


def expected(athletes: Iterable[Athlete], names: Names) -> Observed:
    """What the system must hold."""
    outings = {athlete.id: expected_standings.outings(athlete.activities) for athlete in athletes}
    by_user = {
        user_id: (name, outings[athlete_id]) for athlete_id, (user_id, name) in names.items() if athlete_id in outings
    }
    return Observed(
        {athlete_id: len({outing.id for outing in own}) for athlete_id, own in outings.items() if own},
        {slug: expected_standings.board(slug, by_user) for slug in expected_standings.BOARDS},
    )


def differences(wanted: Observed, observed: Observed) -> Iterable[str]:
    """A line for every athlete whose activities, and every row, that is not as it should be."""
    for athlete_id in sorted(wanted.recorded.keys() | observed.recorded.keys()):
        pair = wanted.recorded.get(athlete_id, 0), observed.recorded.get(athlete_id, 0)
        if pair[0] != pair[1]:
            yield f"athlete {athlete_id} has {pair[1]} activities on record, not {pair[0]}"
    for slug in wanted.boards.keys() | observed.boards.keys():
        right, shown = wanted.boards.get(slug, {}), observed.boards.get(slug, {})
        for user_id in right.keys() | shown.keys():
            if right.get(user_id) != shown.get(user_id):
                yield f"board {slug} shows {shown.get(user_id)}, not {right.get(user_id)}"


async def observe(stack: Stack, client: httpx.AsyncClient, boards: list[str], names: Names) -> Observed:
    """What the system holds now: what ingest has on record and what leaderboard answers."""
    challenge = (await client.get("/challenges/current")).json()
    shown = {}
    for slug in {*boards, *(board["slug"] for board in challenge["boards"])}:
        answer = await client.get(f"/challenges/{challenge['slug']}/boards/{slug}")
        shown[slug] = {row["user_id"]: _row(row) for row in answer.json()["rows"]} if answer.is_success else {}
    return Observed(await _recorded(stack, names), shown)


def _row(row: dict[str, Any]) -> Row:
    return Row(
        row["place"],
        row["display_name"],
        Decimal(str(row["distance_m"])),
        row["moving_time_s"],
        Decimal(str(row["elev_gain_m"])),
        row["activities"],
    )


async def names_of(stack: Stack) -> Names:
    """Everybody who has signed in."""
    rows = await query(stack.database_urls["auth"], "select athlete_id, id::text as user_id, display_name from users")
    return {row["athlete_id"]: (row["user_id"], row["display_name"]) for row in rows}


async def _recorded(stack: Stack, names: Names) -> dict[int, int]:
    users = {user_id: athlete_id for athlete_id, (user_id, _) in names.items()}
    rows = await query(
        stack.database_urls["ingest"],
        """select user_id::text, count(distinct strava_id) as activities from activities
           where removed_at is null group by user_id""",
    )
    return {users[row["user_id"]]: row["activities"] for row in rows}
