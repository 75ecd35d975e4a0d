"""Every SQL statement of this service."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.leaderboard_api import BoardStandings
from web.tables import BoardSnapshotRow, SessionRow, SignInRow

IDLE_LIMIT = timedelta(days=14)
ABSOLUTE_LIMIT = timedelta(days=90)
SIGN_IN_LIMIT = timedelta(minutes=15)
REPLICAS_DIFFER = timedelta(minutes=1)  # at most, in when they save what they asked for at one time
SEEN_EVERY = timedelta(minutes=10)  # so that reading pages is not writing rows


async def add_session(
    session: AsyncSession, id_hash: bytes, *, user_id: UUID, display_name: str, is_admin: bool, now: datetime
) -> None:
    session.add(
        SessionRow(
            id_hash=id_hash,
            user_id=user_id,
            display_name=display_name,
            is_admin=is_admin,
            created_at=now,
            last_seen_at=now,
        )
    )


async def find_session(session: AsyncSession, id_hash: bytes, now: datetime) -> SessionRow | None:
    """The session if it is within both limits; being asked for keeps it from going idle."""
    row = await session.scalar(
        select(SessionRow).where(
            SessionRow.id_hash == id_hash,
            SessionRow.last_seen_at > now - IDLE_LIMIT,
            SessionRow.created_at > now - ABSOLUTE_LIMIT,
        )
    )
    if row is not None and row.last_seen_at < now - SEEN_EVERY:
        await session.execute(update(SessionRow).where(SessionRow.id_hash == id_hash).values(last_seen_at=now))
    return row


async def delete_session(session: AsyncSession, id_hash: bytes) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.id_hash == id_hash))


async def add_sign_in(session: AsyncSession, state_hash: bytes, consent_version: str, now: datetime) -> None:
    session.add(SignInRow(state_hash=state_hash, consent_version=consent_version, created_at=now))


async def take_sign_in(session: AsyncSession, state_hash: bytes, now: datetime) -> str | None:
    """The consent version of a sign-in under way; a second call for the same one finds nothing."""
    taken: str | None = await session.scalar(
        delete(SignInRow)
        .where(SignInRow.state_hash == state_hash, SignInRow.created_at > now - SIGN_IN_LIMIT)
        .returning(SignInRow.consent_version)
    )
    return taken


async def forget_expired(session: AsyncSession, now: datetime) -> None:
    await session.execute(
        delete(SessionRow).where(
            (SessionRow.last_seen_at <= now - IDLE_LIMIT) | (SessionRow.created_at <= now - ABSOLUTE_LIMIT)
        )
    )
    await session.execute(delete(SignInRow).where(SignInRow.created_at <= now - SIGN_IN_LIMIT))


async def save_snapshot(session: AsyncSession, standings: BoardStandings) -> None:
    """Keep a board. Of replicas that asked at about the same time, the one with the older revision changes nothing.

    Later it does: then the leaderboard service itself is older, because it was restored.
    """
    row = insert(BoardSnapshotRow).values(
        challenge=standings.challenge.slug,
        board=standings.board.slug,
        revision=standings.revision,
        as_of=standings.as_of,
        body=standings.model_dump(mode="json"),
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[BoardSnapshotRow.challenge, BoardSnapshotRow.board],
            set_={
                "revision": row.excluded.revision,
                "as_of": row.excluded.as_of,
                "body": row.excluded.body,
                "saved_at": func.now(),
            },
            where=(BoardSnapshotRow.revision <= row.excluded.revision)
            | (BoardSnapshotRow.saved_at < func.now() - REPLICAS_DIFFER),
        )
    )


async def find_snapshot(session: AsyncSession, challenge: str, board: str) -> BoardStandings | None:
    body = await session.scalar(
        select(BoardSnapshotRow.body).where(BoardSnapshotRow.challenge == challenge, BoardSnapshotRow.board == board)
    )
    return BoardStandings.model_validate(body) if body else None


async def newest_snapshot(session: AsyncSession) -> BoardStandings | None:
    """The board saved last: the best guess at what is current while nobody can be asked."""
    body = await session.scalar(select(BoardSnapshotRow.body).order_by(BoardSnapshotRow.saved_at.desc()).limit(1))
    return BoardStandings.model_validate(body) if body else None
