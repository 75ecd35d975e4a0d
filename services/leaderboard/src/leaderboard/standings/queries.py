"""SQL of activities and standings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.standings.rules.scoring import Activity, Totals
from leaderboard.tables import ActivityRow, ErasedUserRow, ParticipantRow, StandingRow
from shared.database import locks
from shared.database.bulk import batch_of, to_columns

#: A board's row id and a user.
BoardUser: TypeAlias = tuple[int, UUID]

_FACTS = [field.name for field in fields(Activity)]
_FIGURES = [field.name for field in fields(Totals)]
_STATE = ["user_id", "version", *_FACTS]

_upsert_facts = text(
    f"""
    insert into activities as t (removed, {", ".join(_STATE)})
    select false, batch.* from {batch_of(ActivityRow, _STATE)}
    on conflict (strava_id) do update set removed = false,
        {", ".join(f"{name} = excluded.{name}" for name in _STATE if name != "strava_id")}
    where t.version < excluded.version
    returning old.user_id
    """  # noqa: S608 - made of the names of columns
)
_mark_removed = text(
    f"""
    insert into activities as t (removed, strava_id, user_id, version)
    select true, batch.* from {batch_of(ActivityRow, ["strava_id", "user_id", "version"])}
    on conflict (strava_id) do update set removed = true, version = excluded.version
    where t.version < excluded.version
    returning old.user_id
    """  # noqa: S608 - made of the names of columns
)


@dataclass(frozen=True)
class RecordedActivity:
    """An activity, whose it is, and ingest's version of it."""

    user_id: UUID
    version: int
    activity: Activity


@dataclass(frozen=True)
class Removal:
    """An activity that is not on record from this version on."""

    strava_id: int
    user_id: UUID
    version: int


async def lock_standings(session: AsyncSession) -> None:
    """Nobody else scores anybody until the commit: for everybody at once there are not enough locks."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('scoring', 0))"))


async def lock_people(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """One scorer at a time for each of these users, until the commit; everybody takes the locks in one order."""
    await session.execute(text("select pg_advisory_xact_lock_shared(hashtextextended('scoring', 0))"))
    await locks.lock_people(session, "leaderboard", user_ids)


async def list_erased(session: AsyncSession, user_ids: Collection[UUID]) -> set[UUID]:
    """Which of these users were erased; asked under their locks, which erasures take, too."""
    erased = await session.execute(select(ErasedUserRow.user_id).where(ErasedUserRow.user_id.in_(user_ids)))
    return set(erased.scalars())


async def erase_standings(session: AsyncSession, user_ids: Collection[UUID]) -> set[int]:
    """Delete the activities and the standings of these users; returns the boards on which they were."""
    await session.execute(delete(ActivityRow).where(ActivityRow.user_id.in_(user_ids)))
    boards = await session.execute(
        delete(StandingRow).where(StandingRow.user_id.in_(user_ids)).returning(StandingRow.board_id)
    )
    return set(boards.scalars())


async def upsert_activities(session: AsyncSession, recorded: Sequence[RecordedActivity]) -> set[UUID]:
    """Save activities, each at most once in the batch; an older version changes nothing.

    Returns whose they were before.
    """
    rows = [{"user_id": one.user_id, "version": one.version, **vars(one.activity)} for one in recorded]
    before = await session.execute(_upsert_facts, to_columns(rows, _STATE))
    return set(before.scalars()) - {None}


async def mark_activities_removed(session: AsyncSession, removals: Sequence[Removal]) -> set[UUID]:
    """Mark activities as removed; a later version of one brings it back. Returns whose they were before.

    One that is not known yet leaves a mark without facts: an earlier version of it may still come.
    """
    rows = [vars(removal) for removal in removals]
    before = await session.execute(_mark_removed, to_columns(rows, ["strava_id", "user_id", "version"]))
    return set(before.scalars()) - {None}


async def list_activities(
    session: AsyncSession, user_ids: Collection[UUID], first_day: date, last_day: date
) -> dict[UUID, list[Activity]]:
    """The present activities of these users on these local days, by user."""
    rows = await session.execute(
        text(
            f"""select user_id, {", ".join(_FACTS)}
               from activities
               where user_id = any(:ids) and not removed and local_start >= :first_day
                 and local_start < cast(:last_day as date) + 1"""  # noqa: S608 - made of the names of columns
        ),
        {"ids": list(user_ids), "first_day": datetime.combine(first_day, datetime.min.time()), "last_day": last_day},
    )
    found: dict[UUID, list[Activity]] = {user_id: [] for user_id in user_ids}
    for user_id, *facts in rows:
        found[user_id].append(Activity(**dict(zip(_FACTS, facts, strict=True))))
    return found


async def list_user_ids(session: AsyncSession) -> list[UUID]:
    """Everyone who has activities."""
    return list((await session.execute(select(ActivityRow.user_id).distinct().order_by("user_id"))).scalars())


async def get_standings(
    session: AsyncSession, board_ids: Collection[int], user_ids: Collection[UUID]
) -> dict[BoardUser, Totals]:
    """What these users have on these boards."""
    rows = await session.execute(
        select(StandingRow).where(StandingRow.board_id.in_(board_ids), StandingRow.user_id.in_(user_ids))
    )
    return {(row.board_id, row.user_id): _to_totals(row) for row in rows.scalars()}


async def upsert_standings(session: AsyncSession, standings: Mapping[BoardUser, Totals]) -> None:
    """Save totals; those without activities are deleted."""
    gone = [key for key, totals in standings.items() if not totals.activities]
    if gone:
        await session.execute(delete(StandingRow).where(tuple_(StandingRow.board_id, StandingRow.user_id).in_(gone)))
    kept = [
        {"board_id": board_id, "user_id": user_id, **asdict(totals)}
        for (board_id, user_id), totals in sorted(standings.items())
        if totals.activities
    ]
    if kept:
        statement = insert(StandingRow)
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["board_id", "user_id"], set_={name: statement.excluded[name] for name in _FIGURES}
            ),
            kept,
        )


async def list_standings(session: AsyncSession, board_id: int) -> list[tuple[ParticipantRow, Totals]]:
    """Everyone on a board, unranked."""
    rows = await session.execute(
        select(ParticipantRow, StandingRow)
        .join(StandingRow, StandingRow.user_id == ParticipantRow.user_id)
        .where(StandingRow.board_id == board_id)
        .order_by(ParticipantRow.user_id)  # so that namesakes do not change places from call to call
    )
    return [(participant, _to_totals(standing)) for participant, standing in rows]


def _to_totals(row: StandingRow) -> Totals:
    return Totals(**{name: getattr(row, name) for name in _FIGURES})


async def add_board_changes(session: AsyncSession, board_ids: Collection[int]) -> None:
    """Note that these boards changed, to be announced after the commit."""
    await session.execute(
        text("insert into board_changes (board_id) select unnest(cast(:ids as integer[]))"),
        {"ids": sorted(board_ids)},
    )


async def take_board_changes(session: AsyncSession, limit: int) -> set[int]:
    """Which boards changed since somebody was told; what another replica is announcing is left to it."""
    taken = await session.execute(
        text(
            """delete from board_changes where id = any(array(
                 select id from board_changes order by id limit :limit for update skip locked))
               returning board_id"""
        ),
        {"limit": limit},
    )
    return set(taken.scalars())
