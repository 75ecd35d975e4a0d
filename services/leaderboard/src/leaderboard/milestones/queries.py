"""SQL of milestones and who reached them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.tables import MilestoneReachedRow
from shared.database.bulk import batch_of, to_columns

#: A milestone's row id and a user.
Candidate: TypeAlias = tuple[int, UUID]

_upsert = text(
    f"""insert into milestones_reached as t (board_id, user_id, reached_at)
        select batch.* from {batch_of(MilestoneReachedRow, ["board_id", "user_id", "reached_at"])}
        on conflict (board_id, user_id) do update set reached_at = excluded.reached_at
        where t.reached_at <> excluded.reached_at
        returning board_id, user_id, old.board_id is null as is_new"""  # noqa: S608 - made of the names of columns
)
_select_relevant = text(
    f"""select batch.board_id, batch.user_id from {batch_of(MilestoneReachedRow, ["board_id", "user_id"])}
        left join board_versions as v on v.board_id = batch.board_id and v.state = 'live'
        left join standings as s on s.user_id = batch.user_id and s.version_id = v.id
        left join milestones_reached as m on m.board_id = batch.board_id and m.user_id = batch.user_id
        where s.value >= v.threshold or m.user_id is not null"""  # noqa: S608
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


async def take_candidates(session: AsyncSession, limit: int) -> tuple[set[Candidate], bool]:
    """Whose standing changed in which milestone since this was asked last, and whether there may be more."""
    taken = await session.execute(
        text(
            """delete from milestone_changes where id = any(array(
                 select id from milestone_changes order by id limit :limit for update skip locked))
               returning board_id, user_id"""
        ),
        {"limit": limit},
    )
    rows = taken.all()
    return {(row.board_id, row.user_id) for row in rows}, len(rows) == limit


async def list_relevant(session: AsyncSession, candidates: Collection[Candidate]) -> set[Candidate]:
    """Who of these has as much as the milestone asks for, or had; of the others there is nothing to be said."""
    return await _select(session, _select_relevant, candidates)


async def list_above(session: AsyncSession, candidates: Collection[Candidate]) -> set[Candidate]:
    """Who of these has as much as the milestone asks for, by what is shown of it."""
    return await _select(session, _select_above, candidates)


async def _select(session: AsyncSession, statement: TextClause, candidates: Collection[Candidate]) -> set[Candidate]:
    rows = [{"board_id": board_id, "user_id": user_id} for board_id, user_id in candidates]
    found = await session.execute(statement, to_columns(rows, ["board_id", "user_id"]))
    return {(row.board_id, row.user_id) for row in found}


async def save_reached(session: AsyncSession, reached: Mapping[Candidate, datetime]) -> set[Candidate]:
    """Save when milestones were reached; returns who reached which of them newly."""
    rows = [
        {"board_id": board_id, "user_id": user_id, "reached_at": at}
        for (board_id, user_id), at in sorted(reached.items())
    ]
    saved = await session.execute(_upsert, to_columns(rows, ["board_id", "user_id", "reached_at"]))
    return {(row.board_id, row.user_id) for row in saved if row.is_new}


async def delete_reached(session: AsyncSession, candidates: Collection[Candidate]) -> None:
    """These are not reached, or not any more."""
    rows = [{"board_id": board_id, "user_id": user_id} for board_id, user_id in candidates]
    await session.execute(_delete, to_columns(rows, ["board_id", "user_id"]))


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
