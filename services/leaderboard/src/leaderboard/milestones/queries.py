"""SQL of milestones and who reached them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.tables import MilestoneChangeRow, MilestoneReachedRow
from shared.database.bulk import batch_of, to_columns

#: A milestone's row id and a user.
Candidate: TypeAlias = tuple[int, UUID]


@dataclass(frozen=True)
class Reached:
    """When a milestone was reached, and on which local day the activity began with which it was."""

    at: datetime
    day: date


_REACHED = ["board_id", "user_id", "reached_at", "day"]
_upsert = text(
    f"""insert into milestones_reached as t ({", ".join(_REACHED)})
        select batch.* from {batch_of(MilestoneReachedRow, _REACHED)}
        on conflict (board_id, user_id) do update set reached_at = excluded.reached_at, day = excluded.day
        where (t.reached_at, t.day) is distinct from (excluded.reached_at, excluded.day)
        returning board_id, user_id, old.board_id is null as is_new"""  # noqa: S608 - made of the names of columns
)
# What changed after the day on which it was reached neither moves that moment nor takes it away.
_select_relevant = text(
    f"""select batch.board_id, batch.user_id
        from {batch_of(MilestoneChangeRow, ["board_id", "user_id", "first_day"])}
        left join board_versions as v on v.board_id = batch.board_id and v.state = 'live'
        left join standings as s on s.user_id = batch.user_id and s.version_id = v.id
        left join milestones_reached as m on m.board_id = batch.board_id and m.user_id = batch.user_id
        where (s.value >= v.threshold or m.user_id is not null)
            and coalesce(batch.first_day <= m.day, true)"""  # noqa: S608
)
_select_above = text(
    f"""select batch.board_id, batch.user_id from {batch_of(MilestoneReachedRow, ["board_id", "user_id"])}
        join board_versions as v on v.board_id = batch.board_id and v.state = 'live'
        join standings as s on s.user_id = batch.user_id and s.version_id = v.id and s.value >= v.threshold"""  # noqa: S608
)
_delete = text(
    f"""delete from milestones_reached as t using {batch_of(MilestoneReachedRow, ["board_id", "user_id"])}
        where t.board_id = batch.board_id and t.user_id = batch.user_id"""  # noqa: S608
)


async def take_changes(session: AsyncSession, limit: int) -> tuple[dict[Candidate, date], bool]:
    """Whose standing changed in which milestone since this was asked last, and whether there may be more.

    With the earliest day that changed; before all days when that may be any.
    """
    taken = await session.execute(
        text(
            """delete from milestone_changes where id = any(array(
                 select id from milestone_changes order by id limit :limit for update skip locked))
               returning board_id, user_id, first_day"""
        ),
        {"limit": limit},
    )
    rows = taken.all()
    first_days: dict[Candidate, date] = {}
    for row in rows:
        candidate = (row.board_id, row.user_id)
        first_days[candidate] = min(row.first_day, first_days.get(candidate, date.max))
    return first_days, len(rows) == limit


async def list_relevant(session: AsyncSession, changes: Mapping[Candidate, date]) -> set[Candidate]:
    """Who of these has as much as the milestone asks for, or had, and had not before the day that changed.

    Of the others there is nothing new to be said.
    """
    rows = [
        {"board_id": board_id, "user_id": user_id, "first_day": first_day}
        for (board_id, user_id), first_day in changes.items()
    ]
    found = await session.execute(_select_relevant, to_columns(rows, ["board_id", "user_id", "first_day"]))
    return {(row.board_id, row.user_id) for row in found}


async def list_above(session: AsyncSession, candidates: Collection[Candidate]) -> set[Candidate]:
    """Who of these has as much as the milestone asks for, by what is shown of it."""
    found = await session.execute(_select_above, _to_columns(candidates))
    return {(row.board_id, row.user_id) for row in found}


async def save_reached(session: AsyncSession, reached: Mapping[Candidate, Reached]) -> set[Candidate]:
    """Save when milestones were reached; returns who reached which of them newly."""
    rows = [
        {"board_id": board_id, "user_id": user_id, "reached_at": each.at, "day": each.day}
        for (board_id, user_id), each in sorted(reached.items(), key=lambda item: item[0])
    ]
    saved = await session.execute(_upsert, to_columns(rows, _REACHED))
    return {(row.board_id, row.user_id) for row in saved if row.is_new}


async def delete_reached(session: AsyncSession, candidates: Collection[Candidate]) -> None:
    """These are not reached, or not any more."""
    await session.execute(_delete, _to_columns(candidates))


def _to_columns(candidates: Collection[Candidate]) -> dict[str, list[Any]]:
    rows = [{"board_id": board_id, "user_id": user_id} for board_id, user_id in candidates]
    return to_columns(rows, ["board_id", "user_id"])


async def list_slugs(session: AsyncSession, board_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """The slugs of challenge and milestone, by the milestone's row id."""
    rows = await session.execute(
        text(
            """select boards.id, challenges.slug as challenge, boards.slug from boards
               join challenges on challenges.id = challenge_id where boards.id = any(:ids)"""
        ),
        {"ids": list(board_ids)},
    )
    return {row.id: (row.challenge, row.slug) for row in rows}


async def count_reached(session: AsyncSession, challenge_id: int) -> dict[int, int]:
    """How many of those who are listed reached each milestone, by its row id."""
    rows = await session.execute(
        text(
            """select m.board_id, count(*) as reached from milestones_reached as m
               join boards on boards.id = m.board_id
               join board_versions as v on v.board_id = m.board_id and v.state = 'live'
               join standings as s on s.user_id = m.user_id and s.version_id = v.id and s.listed
               where boards.challenge_id = :id group by m.board_id"""
        ),
        {"id": challenge_id},
    )
    return {row.board_id: row.reached for row in rows}


async def list_reached(
    session: AsyncSession, board_id: int, version_id: int, offset: int, limit: int
) -> Sequence[Row[Any]]:
    """Who is listed and reached a milestone, in the order in which they did."""
    rows = await session.execute(
        text(
            """select m.user_id, p.display_name, m.reached_at from milestones_reached as m
               join participants as p on p.user_id = m.user_id
               join standings as s on s.user_id = m.user_id and s.version_id = :version_id and s.listed
               where m.board_id = :board_id order by m.reached_at, m.user_id offset :offset limit :limit"""
        ),
        {"board_id": board_id, "version_id": version_id, "offset": offset, "limit": limit},
    )
    return rows.all()


async def find_progress(session: AsyncSession, user_id: UUID, version_ids: Collection[int]) -> Mapping[int, Row[Any]]:
    """How far a user is, by version, and when they reached it."""
    rows = await session.execute(
        text(
            """select s.version_id, s.value, m.reached_at from standings as s
               join board_versions as v on v.id = s.version_id
               left join milestones_reached as m on m.board_id = v.board_id and m.user_id = s.user_id
               where s.user_id = :user_id and s.version_id = any(:ids)"""
        ),
        {"user_id": user_id, "ids": list(version_ids)},
    )
    return {row.version_id: row for row in rows}
