"""How long leaderboard takes to answer for boards, as they grow.

`python bench/standings.py` prints one line of JSON: milliseconds over HTTP, the median and the 99th percentile, from
one client that has a connection and asks one thing after the other; and how many times longer the largest board takes
than the smallest. The service is the real process on a private Postgres. Daily totals and standings of a challenge of
100 days are written by SQL, as scoring activities at random would leave them; nobody scores meanwhile.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import httpx
from pipe.service import start_service

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles, open_connection
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from shared.messaging import topology

SIZES = ((283, 25_000), (2_830, 250_000), (10_000, 1_000_000))  # participants and activities
DAYS = 100
TEAM_SIZE = 10
WARM_UP, MANY, FEW = 20, 400, 60  # requests
BOARD = "/challenges/main/boards/running"
TEAMS = f"{BOARD}/teams"
NOTHING = "/nothing"  # has no route: what the client and the framework take

#: The parameters of the next request.
Ask: TypeAlias = Callable[[], dict[str, str]]

_FILL = (
    "truncate participants, daily_totals, standings, rank_history, teams, team_memberships",
    """insert into participants (user_id, athlete_id, display_name, sort_name, joined_at)
       select lpad(to_hex(n), 32, '0')::uuid, n, 'Person ' || n, 'person ' || n, now()
       from generate_series(1, $1::int) as n""",
    # Each activity is somebody's on some day on one of the boards; a board has them in the order of their days.
    """insert into daily_totals (version_id, user_id, day, distance_m, moving_time_s, elev_gain_m, activities, points)
       select version_id, user_id, day, sum(metres), sum(metres) / 3, sum(metres) / 100, count(*), 0
       from (select board_versions.id as version_id, day, metres, lpad(to_hex(person), 32, '0')::uuid as user_id
             from (select 1 + floor(random() * $1::int)::int as person,
                       $3::date + floor(random() * $4::int)::int as day,
                       floor(random() * 2)::int as position, 3000 + floor(random() * 20000)::int as metres
                   from generate_series(1, $2::int)) as activity
             join boards using (position) join board_versions on board_id = boards.id) as counted
       group by day, version_id, user_id order by day, version_id, user_id""",
    """insert into standings (version_id, user_id, listed, sort_name, value, distance_m, moving_time_s, elev_gain_m,
           activities, points)
       select version_id, user_id, true, sort_name, sum(distance_m), sum(distance_m), sum(moving_time_s),
           sum(elev_gain_m), sum(activities), sum(points)
       from daily_totals join participants using (user_id) group by version_id, user_id, sort_name""",
    """insert into rank_history (version_id, user_id, day, place)
       select version_id, user_id, day, 1 + floor(random() * $1::int)::int
       from standings, generate_series($2::date - 7, $2::date, '1 day') as day""",
    """insert into teams (challenge_id, name, folded_name)
       select id, 'Team ' || n, 'team ' || n from challenges, generate_series(0, ($1::int - 1) / $2::int) as n""",
    """insert into team_memberships (challenge_id, team_id, user_id)
       select challenge_id, teams.id, lpad(to_hex(n), 32, '0')::uuid
       from generate_series(1, $1::int) as n join teams on name = 'Team ' || (n - 1) / $2::int""",
)


class Bench:
    """The servers, and leaderboard."""

    def __init__(self, supervisor: Supervisor, servers: Servers, database_url: str, first_day: date) -> None:
        self._supervisor = supervisor
        self._servers = servers
        self._database_url = database_url
        self._first_day = first_day

    async def fill(self, participants: int, activities: int) -> None:
        today = datetime.now(UTC).date()
        arguments = (
            (),
            (participants,),
            (participants, activities, self._first_day, DAYS),
            (),
            (participants, today),
            (participants, TEAM_SIZE),
            (participants, TEAM_SIZE),
        )
        async with open_connection(self._database_url) as connection:
            for statement, values in zip(_FILL, arguments, strict=True):
                await connection.execute(statement, *values)
            await connection.execute("vacuum analyze")

    @asynccontextmanager
    async def leaderboard(self) -> AsyncIterator[httpx.Client]:
        """The process, which has made its two boards."""
        days = {
            "CHALLENGE_FIRST_DAY": str(self._first_day),
            "CHALLENGE_LAST_DAY": str(self._first_day + timedelta(days=DAYS - 1)),
        }
        amqp_url = self._servers.rabbitmq.url
        address = await start_service(
            self._supervisor, "leaderboard", "leaderboard", self._database_url, amqp_url, **days
        )
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client
        await self._supervisor.stop("leaderboard")

    def note_change(self) -> None:
        """As scoring does: what was made of the boards before is of no use any more."""
        asyncio.run(self._note_change())

    async def _note_change(self) -> None:
        async with open_connection(self._database_url) as connection:
            await connection.execute("insert into board_changes (board_id) select id from boards")

    def measure(self, client: httpx.Client, participants: int) -> dict[str, dict[str, float]]:
        """Milliseconds of each question."""
        chance = random.Random(participants)  # noqa: S311

        def person() -> int:
            return chance.randint(1, participants)

        def days(count: int) -> dict[str, str]:
            first = self._first_day + timedelta(days=(DAYS - count) // 2)
            return {"first_day": str(first), "last_day": str(first + timedelta(days=count - 1)), "limit": "50"}

        questions: dict[str, tuple[str, Ask, int]] = {
            "top_50": (BOARD, lambda: {"limit": "50"}, MANY),
            "around": (BOARD, lambda: {"around": str(UUID(int=person()))}, MANY),
            "last_page": (BOARD, lambda: {"limit": "50", "offset": str(participants - 50)}, MANY),
            "search": (BOARD, lambda: {"search": f"ON {person()}"}, MANY),
            "teams": (TEAMS, lambda: {"limit": "50"}, MANY),
            "7_days": (BOARD, lambda: days(7), FEW),
            "50_days": (BOARD, lambda: days(50), FEW),
            "90_days": (BOARD, lambda: days(90), FEW),
            "whole": (BOARD, dict, FEW),
        }
        times = {name: _ask(client, path, ask, count) for name, (path, ask, count) in questions.items()}
        tag = client.get(BOARD).headers["etag"]
        times["not_modified"] = _ask(client, BOARD, dict, MANY, tag=tag)
        times["no_route"] = _ask(client, NOTHING, dict, MANY)
        times["teams_changed"] = _ask(client, TEAMS, lambda: {"limit": "50"}, FEW, before=self.note_change)
        return times


_EXPECTED = {BOARD: 200, TEAMS: 200, NOTHING: 404}


def _ask(
    client: httpx.Client,
    path: str,
    ask: Ask,
    count: int,
    *,
    tag: str | None = None,
    before: Callable[[], None] | None = None,
) -> dict[str, float]:
    headers = {"If-None-Match": tag} if tag else {}
    expected = 304 if tag else _EXPECTED[path]
    took = []
    for number in range(-WARM_UP, count):
        parameters = ask()
        if before:
            before()
        started = time.perf_counter()
        response = client.get(path, params=parameters, headers=headers)
        ended = time.perf_counter()
        assert response.status_code == expected, response.text[:500]
        took += [1000 * (ended - started)] if number >= 0 else []
    return {"p50": round(statistics.median(took), 1), "p99": round(statistics.quantiles(took, n=100)[98], 1)}


async def main() -> None:
    first_day = datetime.now(UTC).date() - timedelta(days=DAYS // 2)
    sizes: dict[int, Any] = {}
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        urls = await create_roles(servers.postgres, ["leaderboard"])
        await upgrade("leaderboard", urls["leaderboard"])
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        bench = Bench(supervisor, servers, urls["leaderboard"], first_day)
        async with bench.leaderboard():
            pass  # it has made its boards
        for participants, activities in SIZES:
            await bench.fill(participants, activities)
            async with bench.leaderboard() as client:
                sizes[participants] = await asyncio.to_thread(bench.measure, client, participants)
    smallest, *_, largest = sizes.values()
    growth = {name: round(largest[name]["p50"] / smallest[name]["p50"], 1) for name in smallest}
    sys.stdout.write(json.dumps({"ms_by_participants": sizes, "growth": growth}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
