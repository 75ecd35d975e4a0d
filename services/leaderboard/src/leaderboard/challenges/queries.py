"""SQL of challenges and boards."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Board, Challenge, Metric
from leaderboard.tables import BoardRow, ChallengeRow, FetchWindowRow, RetentionRow
from shared.database.versions import next_version


@dataclass(frozen=True)
class ScoredChallenge:
    """A challenge with its boards, by the ids of their rows."""

    id: int
    slug: str
    rules: Challenge
    boards: Mapping[int, Board]


async def list_challenges(session: AsyncSession) -> Sequence[ChallengeRow]:
    """All challenges."""
    return (await session.execute(select(ChallengeRow).order_by(ChallengeRow.id))).scalars().all()


async def list_scored_challenges(session: AsyncSession) -> list[ScoredChallenge]:
    """All challenges with their boards, as the rules need them."""
    boards: dict[int, dict[int, Board]] = defaultdict(dict)
    for row in (await session.execute(select(BoardRow).order_by(BoardRow.position))).scalars():
        board = Board(row.slug, row.name, Metric(row.metric), frozenset(row.sport_types))
        boards[row.challenge_id][row.id] = board
    return [
        ScoredChallenge(row.id, row.slug, _to_rules(row), boards[row.id]) for row in await list_challenges(session)
    ]


def _to_rules(row: ChallengeRow) -> Challenge:
    return Challenge(row.first_day, row.last_day, row.counts_manual, row.counts_trainer, row.counts_commute)


async def find_challenge(session: AsyncSession, slug: str) -> ChallengeRow | None:
    """The challenge with this slug."""
    return (await session.execute(select(ChallengeRow).where(ChallengeRow.slug == slug))).scalar_one_or_none()


async def list_boards(session: AsyncSession, challenge_id: int) -> Sequence[BoardRow]:
    """A challenge's boards in their order."""
    boards = select(BoardRow).where(BoardRow.challenge_id == challenge_id).order_by(BoardRow.position)
    return (await session.execute(boards)).scalars().all()


async def next_revision(session: AsyncSession, challenge_id: int, now: datetime) -> int:
    """Count a change of the challenge's standings; held until the commit, so revisions become visible in order."""
    revision = await session.execute(
        update(ChallengeRow)
        .where(ChallengeRow.id == challenge_id)
        .values(revision=text(next_version("challenges.revision")), changed_at=now)
        .returning(ChallengeRow.revision)
    )
    return revision.scalar_one()


async def upsert_challenge(
    session: AsyncSession, slug: str, fields: Mapping[str, Any], boards: Sequence[Board]
) -> bool:
    """Create the challenge, or change it to be so; returns whether anything is different now."""
    row = await find_challenge(session, slug)
    if row is not None and all(getattr(row, name) == value for name, value in fields.items()):
        return False
    if row is None:
        row = ChallengeRow(slug=slug, changed_at=func.now())
        session.add(row)
    for name, value in fields.items():
        setattr(row, name, value)
    await session.flush()
    for position, board in enumerate(boards):
        statement = insert(BoardRow).values(
            challenge_id=row.id,
            slug=board.slug,
            name=board.name,
            metric=board.metric.value,
            sport_types=sorted(board.sport_types),
            position=position,
        )
        await session.execute(statement.on_conflict_do_nothing())
    return True


async def save_fetch_window(session: AsyncSession, since: datetime | None) -> bool:
    """Store which activities sync is told to fetch; false when that is what it was told last."""
    saved = await session.execute(
        insert(FetchWindowRow)
        .values(id=1, since=since)
        .on_conflict_do_update(
            index_elements=["id"],
            set_={"since": since},
            where=FetchWindowRow.since.is_distinct_from(since),
        )
        .returning(FetchWindowRow.id)
    )
    return saved.scalar_one_or_none() is not None


async def save_retention(session: AsyncSession, before: datetime) -> bool:
    """Store before which start activities are not kept; false when that is what was said last."""
    saved = await session.execute(
        insert(RetentionRow)
        .values(id=1, before=before)
        .on_conflict_do_update(index_elements=["id"], set_={"before": before}, where=RetentionRow.before != before)
        .returning(RetentionRow.id)
    )
    return saved.scalar_one_or_none() is not None
