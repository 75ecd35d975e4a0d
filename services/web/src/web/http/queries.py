"""SQL of sessions, and of what is shown while leaderboard is away."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from web.tables import SessionRow, SnapshotRow

IDLE_LIMIT = timedelta(days=14)
ABSOLUTE_LIMIT = timedelta(days=90)
LAST_SEEN_INTERVAL = timedelta(minutes=10)  # so that reading pages is not writing rows
HASH_BYTES = 32
REPLICA_SKEW = timedelta(minutes=1)  # at most, between the saves of replicas that fetched at one time

StravaAccess: TypeAlias = Literal["connected", "lost", "disconnected"]
Body = TypeVar("Body", bound=BaseModel)


async def add_session(
    session: AsyncSession, id_hash: bytes, *, user_id: UUID, display_name: str, is_admin: bool, now: datetime
) -> None:
    """Store a new session."""
    session.add(
        SessionRow(
            id_hash=id_hash,
            user_id=user_id,
            display_name=display_name,
            named_at=now,
            is_admin=is_admin,
            admin_changed_at=now,
            strava_changed_at=now,
            created_at=now,
            last_seen_at=now,
        )
    )


async def find_session(session: AsyncSession, id_hash: bytes, now: datetime) -> SessionRow | None:
    """The session if it is within both limits; being read keeps it from becoming idle."""
    row = await session.scalar(
        select(SessionRow).where(
            SessionRow.id_hash == id_hash,
            SessionRow.last_seen_at > now - IDLE_LIMIT,
            SessionRow.created_at > now - ABSOLUTE_LIMIT,
        )
    )
    if row is not None and row.last_seen_at < now - LAST_SEEN_INTERVAL:
        await session.execute(update(SessionRow).where(SessionRow.id_hash == id_hash).values(last_seen_at=now))
    return row


async def delete_session(session: AsyncSession, id_hash: bytes) -> None:
    """Delete a session."""
    await session.execute(delete(SessionRow).where(SessionRow.id_hash == id_hash))


async def list_sessions(session: AsyncSession, user_id: UUID) -> Sequence[SessionRow]:
    """The sessions of one user, the latest first."""
    rows = await session.scalars(
        select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.created_at.desc())
    )
    return rows.all()


async def delete_session_named(session: AsyncSession, prefix: bytes) -> int:
    """Delete the session whose hash begins so; returns how many there were."""
    first, last = prefix.ljust(HASH_BYTES, b"\x00"), prefix.ljust(HASH_BYTES, b"\xff")
    return await _delete(session, SessionRow.id_hash.between(first, last))


async def delete_sessions_of(session: AsyncSession, user_id: UUID) -> int:
    """Delete all sessions of a user; returns how many there were."""
    return await _delete(session, SessionRow.user_id == user_id)


async def _delete(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    return len((await session.scalars(delete(SessionRow).where(condition).returning(SessionRow.id_hash))).all())


async def rename_sessions(session: AsyncSession, user_id: UUID, display_name: str, renamed_at: datetime) -> None:
    """Store a user's new name in their sessions, unless a later one is there."""
    await session.execute(
        update(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.named_at < renamed_at)
        .values(display_name=display_name, named_at=renamed_at)
    )


async def change_admin(session: AsyncSession, user_id: UUID, *, is_admin: bool, changed_at: datetime) -> None:
    """Store in a user's sessions whether they are an admin.

    That they are none any more counts whenever it arrives: a late one costs a sign-in, a missed one costs more.
    """
    statement = update(SessionRow).where(SessionRow.user_id == user_id)
    if is_admin:
        statement = statement.where(SessionRow.admin_changed_at < changed_at)
    await session.execute(
        statement.values(is_admin=is_admin, admin_changed_at=func.greatest(SessionRow.admin_changed_at, changed_at))
    )


async def change_strava(session: AsyncSession, user_id: UUID, strava: StravaAccess, changed_at: datetime) -> None:
    """Store in a user's sessions whether there is access to Strava, unless something later is there."""
    is_newer = SessionRow.strava_changed_at < changed_at
    if strava == "connected":  # of what is told of one moment, access that was given in it is there
        is_newer |= SessionRow.strava_changed_at == changed_at
    await session.execute(
        update(SessionRow)
        .where(SessionRow.user_id == user_id, is_newer)
        .values(strava=strava, strava_changed_at=changed_at)
    )


async def purge_expired_sessions(session: AsyncSession, now: datetime) -> None:
    """Delete the sessions that are beyond a limit."""
    await session.execute(
        delete(SessionRow).where(
            (SessionRow.last_seen_at <= now - IDLE_LIMIT) | (SessionRow.created_at <= now - ABSOLUTE_LIMIT)
        )
    )


async def save_snapshot(session: AsyncSession, name: str, revision: int, body: BaseModel) -> None:
    """Store what leaderboard gave; of replicas that asked at one time, that with the older revision does nothing.

    Later it does: then the leaderboard service itself is older, because it was restored.
    """
    row = insert(SnapshotRow).values(name=name, revision=revision, body=body.model_dump(mode="json"))
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[SnapshotRow.name],
            set_={"revision": row.excluded.revision, "body": row.excluded.body, "saved_at": func.now()},
            where=(SnapshotRow.revision <= row.excluded.revision)
            | (SnapshotRow.saved_at < func.now() - REPLICA_SKEW),
        )
    )


async def find_snapshot(session: AsyncSession, name: str, model: type[Body]) -> Body | None:
    """What was stored; None if there is none."""
    body = await session.scalar(select(SnapshotRow.body).where(SnapshotRow.name == name))
    return model.model_validate(body) if body else None


async def delete_snapshot(session: AsyncSession, name: str) -> None:
    """Forget what is not shown any more."""
    await session.execute(delete(SnapshotRow).where(SnapshotRow.name == name))


async def delete_snapshots_of(session: AsyncSession, user_id: UUID) -> None:
    """Forget every board that names this user."""
    await session.execute(delete(SnapshotRow).where(SnapshotRow.body.contains({"rows": [{"user_id": str(user_id)}]})))
