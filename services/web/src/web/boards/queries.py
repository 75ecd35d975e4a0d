"""SQL of board snapshots, which are shown while leaderboard is away."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.leaderboard_api import BoardStandings
from web.tables import BoardSnapshotRow

REPLICA_SKEW = timedelta(minutes=1)  # at most, between the saves of replicas that fetched at one time


async def save_snapshot(session: AsyncSession, standings: BoardStandings) -> None:
    """Store a board; of replicas that fetched at about one time, that with the older revision changes nothing.

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
            | (BoardSnapshotRow.saved_at < func.now() - REPLICA_SKEW),
        )
    )


async def find_snapshot(session: AsyncSession, challenge: str, board: str) -> BoardStandings | None:
    """The stored board; None if there is none."""
    body = await session.scalar(
        select(BoardSnapshotRow.body).where(BoardSnapshotRow.challenge == challenge, BoardSnapshotRow.board == board)
    )
    return BoardStandings.model_validate(body) if body else None


async def delete_snapshot(session: AsyncSession, challenge: str, board: str) -> None:
    """Forget a board that is not shown any more."""
    await session.execute(
        delete(BoardSnapshotRow).where(BoardSnapshotRow.challenge == challenge, BoardSnapshotRow.board == board)
    )


async def find_newest_snapshot(session: AsyncSession) -> BoardStandings | None:
    """The board stored last, which most probably belongs to the current challenge."""
    body = await session.scalar(select(BoardSnapshotRow.body).order_by(BoardSnapshotRow.saved_at.desc()).limit(1))
    return BoardStandings.model_validate(body) if body else None
