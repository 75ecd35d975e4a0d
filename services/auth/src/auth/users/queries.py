"""SQL of users, and of reports that they deauthorized us."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import AdminRow, DeauthorizationCheckRow, UserRow


async def lock_athlete(session: AsyncSession, athlete_id: int) -> None:
    """Make what joins, leaves or erases one athlete wait for each other, also when there is no row to lock yet."""
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended('athlete:' || :id, 0))"), {"id": str(athlete_id)}
    )


async def find_user_by_athlete(session: AsyncSession, athlete_id: int) -> UserRow | None:
    """The user that this Strava athlete is."""
    return (await session.execute(select(UserRow).where(UserRow.athlete_id == athlete_id))).scalar_one_or_none()


async def find_user(session: AsyncSession, user_id: UUID) -> UserRow | None:
    """The user of that id."""
    return await session.get(UserRow, user_id)


async def find_locked_user(session: AsyncSession, user_id: UUID) -> UserRow | None:
    """The user of that id, whom nobody else changes until the transaction ends."""
    athlete_id = await session.scalar(select(UserRow.athlete_id).where(UserRow.id == user_id))
    if athlete_id is None:
        return None
    await lock_athlete(session, athlete_id)
    return await session.get(UserRow, user_id, with_for_update=True)


async def delete_user(session: AsyncSession, user: UserRow) -> None:
    """Delete everything that auth knows of the user; what is still to be ended at Strava ends without them."""
    await session.execute(delete(UserRow).where(UserRow.id == user.id))
    await session.execute(delete(AdminRow).where(AdminRow.athlete_id == user.athlete_id))


async def add_deauthorization_check(session: AsyncSession, user_id: UUID, now: datetime) -> None:
    """Have Strava asked whether it still accepts the user's permission; many reports do not make that sooner."""
    statement = insert(DeauthorizationCheckRow).values(user_id=user_id, reported_at=now, not_before=now, attempts=0)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_={"reported_at": now}))


@dataclass(frozen=True)
class DeauthorizationCheck:
    """A check that is due; nobody else gets it before it is due again."""

    user_id: UUID
    reported_at: datetime
    attempts: int  # this one included


async def claim_deauthorization_check(
    session: AsyncSession, now: datetime, hidden_until: datetime
) -> DeauthorizationCheck | None:
    """The check that is due first, which is due again at `hidden_until` unless it is finished before."""
    due = (
        select(DeauthorizationCheckRow.user_id)
        .where(DeauthorizationCheckRow.not_before <= now)
        .order_by(DeauthorizationCheckRow.not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = await session.scalar(
        update(DeauthorizationCheckRow)
        .where(DeauthorizationCheckRow.user_id == due)
        .values(not_before=hidden_until, attempts=DeauthorizationCheckRow.attempts + 1)
        .returning(DeauthorizationCheckRow)
    )
    return None if row is None else DeauthorizationCheck(row.user_id, row.reported_at, row.attempts)


async def postpone_deauthorization_check(session: AsyncSession, user_id: UUID, until: datetime) -> None:
    """Make the check due then."""
    await session.execute(
        update(DeauthorizationCheckRow).where(DeauthorizationCheckRow.user_id == user_id).values(not_before=until)
    )


async def finish_deauthorization_check(session: AsyncSession, check: DeauthorizationCheck) -> None:
    """Delete the check, unless there was another report since it began."""
    await session.execute(
        delete(DeauthorizationCheckRow).where(
            DeauthorizationCheckRow.user_id == check.user_id, DeauthorizationCheckRow.reported_at == check.reported_at
        )
    )
