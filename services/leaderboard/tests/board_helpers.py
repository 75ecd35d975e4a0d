"""The running board of May, filled with people directly, and how it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from shared.database.engine import Database

BOARD = "/challenges/main/boards/running"
MAY_1 = date(2026, 5, 1)


@dataclass(frozen=True)
class Person:
    """A participant by number, what they are called, and their metres on days of May."""

    number: int
    name: str
    metres: dict[int, int]

    @property
    def id(self) -> UUID:
        return UUID(int=self.number)

    def sum(self, first: int = 1, last: int = 31) -> int | None:
        own = [metres for day, metres in self.metres.items() if first <= day <= last]
        return sum(own) if own else None


async def fill(database: Database, people: Sequence[Person]) -> None:
    """Participants with daily totals and standings on the running board, and nobody else."""
    days = [(person.id, MAY_1 + timedelta(days=day - 1), m) for person in people for day, m in person.metres.items()]
    async with database.transaction() as session:
        for table in ("standings", "daily_totals", "participants", "rank_history"):
            await session.execute(text(f"delete from {table}"))
        await session.execute(
            text(
                """insert into participants (user_id, athlete_id, display_name, sort_name, joined_at)
                   select id, 1, name, sort_name, now()
                   from unnest(cast(:ids as uuid[]), cast(:names as text[]), cast(:sorted as text[]))
                       as one (id, name, sort_name)"""
            ),
            {
                "ids": [person.id for person in people],
                "names": [person.name for person in people],
                "sorted": [person.name.casefold() for person in people],
            },
        )
        await session.execute(
            text(
                """insert into daily_totals (version_id, user_id, day, distance_m, moving_time_s, elev_gain_m,
                       activities, points)
                   select board_versions.id, one.id, day, metres, 60, 1, 1, 0
                   from unnest(cast(:ids as uuid[]), cast(:days as date[]), cast(:metres as int[]))
                       as one (id, day, metres)
                   join boards on boards.slug = 'running' join board_versions on board_id = boards.id"""
            ),
            {"ids": [day[0] for day in days], "days": [day[1] for day in days], "metres": [day[2] for day in days]},
        )
        await session.execute(
            text(
                """insert into standings (version_id, user_id, listed, sort_name, value, distance_m, moving_time_s,
                       elev_gain_m, activities, points)
                   select version_id, user_id, true, sort_name, sum(distance_m), sum(distance_m), sum(moving_time_s),
                       sum(elev_gain_m), sum(activities), sum(points)
                   from daily_totals join participants using (user_id) group by version_id, user_id, sort_name"""
            )
        )


async def read(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    response = await client.get(BOARD, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def read_window(client: httpx.AsyncClient, **parameters: Any) -> tuple[int, list[tuple[int, UUID, float]]]:
    """How many rows are before the first one, and the rows."""
    answer = await read(client, **parameters)
    rows = [(row["place"], UUID(row["user_id"]), row["distance_m"]) for row in answer["rows"]]
    return answer["offset"], rows


async def read_rows(client: httpx.AsyncClient, **parameters: Any) -> list[tuple[int, UUID, float]]:
    return (await read_window(client, **parameters))[1]


def days_of(first: int, last: int) -> dict[str, str]:
    return {"first_day": f"2026-05-{first:02}", "last_day": f"2026-05-{last:02}"}
