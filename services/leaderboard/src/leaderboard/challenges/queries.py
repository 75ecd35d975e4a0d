"""SQL of challenges, boards, and the versions of boards."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, func, inspect, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Board, Challenge, Metric, PointsRule
from leaderboard.tables import (
    BoardRow,
    BoardVersionRow,
    ChallengeRow,
    FetchWindowRow,
    ParticipantRow,
    RetentionRow,
)
from shared.database.versions import next_version

_NOT_READ = ("board_id", "challenge_id", "built_until")
# Columns and no entities, of which each batch of events would make a few.
_VERSION = (
    *(column for column in inspect(BoardVersionRow).columns if column.name not in _NOT_READ),
    BoardRow.id.label("board_id"),
    func.coalesce(BoardRow.slug, "").label("slug"),
    func.coalesce(BoardRow.name, "").label("name"),
)
_select_live = (
    select(*_VERSION)
    .join(BoardRow, BoardRow.id == BoardVersionRow.board_id)
    .where(BoardVersionRow.state == "live")
    .order_by(BoardRow.position, BoardVersionRow.id)
)
#: Of boards, and of those that are only previewed; what neither a board nor a challenge has is about to be deleted.
_select_scored = (
    select(*_VERSION)
    .outerjoin(BoardRow, BoardRow.id == BoardVersionRow.board_id)
    .join(ChallengeRow, ChallengeRow.id == func.coalesce(BoardRow.challenge_id, BoardVersionRow.challenge_id))
    .where(ChallengeRow.closed_at.is_(None))
    .order_by(BoardRow.position, BoardVersionRow.id)
)
#: Challenges with what is shown of each, whose rows follow each other; a challenge of which nothing is has one row.
_select_shown = (
    select(ChallengeRow, *_VERSION)
    .outerjoin(BoardRow, BoardRow.challenge_id == ChallengeRow.id)
    .outerjoin(BoardVersionRow, and_(BoardVersionRow.board_id == BoardRow.id, BoardVersionRow.state == "live"))
    .order_by(ChallengeRow.first_day.desc(), ChallengeRow.id.desc(), BoardRow.position, BoardVersionRow.id)
)


@dataclass(frozen=True)
class ScoredVersion:
    """The rules of one moment: daily totals and standings belong to it. There may be no board of it yet."""

    id: int
    is_live: bool
    challenge: Challenge
    board: Board


@dataclass(frozen=True)
class BoardVersion(ScoredVersion):
    """The same of a board."""

    board_id: int


@dataclass(frozen=True)
class ShownChallenge:
    """A challenge, and what is shown of its boards and milestones, in their order."""

    row: ChallengeRow
    versions: tuple[BoardVersion, ...]
    milestones: tuple[BoardVersion, ...]


@dataclass(frozen=True)
class ChangedBoards:
    """A challenge, some of whose boards changed."""

    challenge_id: int
    slug: str
    first_day: date
    last_day: date
    boards: tuple[str, ...]


async def list_challenges(session: AsyncSession) -> Sequence[ChallengeRow]:
    """All challenges."""
    return (await session.execute(select(ChallengeRow).order_by(ChallengeRow.id))).scalars().all()


async def list_visible_challenges(
    session: AsyncSession, user_id: UUID | None, *, is_organiser: bool
) -> Sequence[ChallengeRow]:
    """The challenges that this user may see: of members only participants do, hidden ones only organisers."""
    challenges = select(ChallengeRow).where(_is_visible(user_id, is_organiser=is_organiser)).order_by(ChallengeRow.id)
    return (await session.execute(challenges)).scalars().all()


def _is_visible(user_id: UUID | None, *, is_organiser: bool) -> ColumnElement[bool]:
    if is_organiser:
        return true()
    is_member = exists().where(ParticipantRow.user_id == user_id, ParticipantRow.athlete_id.is_not(None))
    return or_(ChallengeRow.visibility == "public", and_(ChallengeRow.visibility == "members", is_member))


async def find_visible(
    session: AsyncSession, slug: str, user_id: UUID | None, *, is_organiser: bool
) -> ChallengeRow | None:
    """The challenge with this slug, if this user may see it."""
    named = select(ChallengeRow).where(ChallengeRow.slug == slug, _is_visible(user_id, is_organiser=is_organiser))
    return (await session.execute(named)).scalar_one_or_none()


async def find_shown(
    session: AsyncSession, slug: str, user_id: UUID | None, *, is_organiser: bool
) -> ShownChallenge | None:
    """The challenge with this slug, if this user may see it, and what is shown of it: in one statement."""
    found = await _list_shown(session, ChallengeRow.slug == slug, _is_visible(user_id, is_organiser=is_organiser))
    return found[0] if found else None


async def list_shown(session: AsyncSession, user_id: UUID | None, *, is_organiser: bool) -> list[ShownChallenge]:
    """The challenges that this user may see, the one that begins last first: in one statement."""
    return await _list_shown(session, _is_visible(user_id, is_organiser=is_organiser))


async def _list_shown(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[ShownChallenge]:
    found = await session.execute(_select_shown.where(*conditions))
    return [_to_shown(challenge, rows) for challenge, rows in groupby(found, lambda row: row.ChallengeRow)]


def _to_shown(challenge: ChallengeRow, rows: Iterable[Row[Any]]) -> ShownChallenge:
    live = [_to_board_version(row) for row in rows if row.id is not None]
    return ShownChallenge(
        challenge,
        versions=tuple(one for one in live if one.board.threshold is None),
        milestones=tuple(one for one in live if one.board.threshold is not None),
    )


async def find_challenge(session: AsyncSession, slug: str) -> ChallengeRow | None:
    """The challenge with this slug."""
    return (await session.execute(select(ChallengeRow).where(ChallengeRow.slug == slug))).scalar_one_or_none()


async def list_boards(session: AsyncSession, *challenge_ids: int) -> Sequence[BoardRow]:
    """The boards and milestones of these challenges in their order, whether or not they are shown yet."""
    boards = select(BoardRow).where(BoardRow.challenge_id.in_(challenge_ids)).order_by(BoardRow.position, BoardRow.id)
    return (await session.execute(boards)).scalars().all()


async def list_scored_versions(session: AsyncSession) -> list[ScoredVersion]:
    """The versions that are kept current, as the rules need them; of challenges that are closed none is."""
    return await _list_scored(session, BoardVersionRow.state != "retired")


async def list_building_versions(session: AsyncSession) -> list[ScoredVersion]:
    """The versions that are not complete yet."""
    return await _list_scored(session, BoardVersionRow.state == "building")


async def _list_scored(session: AsyncSession, state: ColumnElement[bool]) -> list[ScoredVersion]:
    rows = await session.execute(_select_scored.where(state))
    return [_to_board_version(row) if row.board_id is not None else _to_scored_version(row) for row in rows]


async def list_live_versions(session: AsyncSession, challenge_id: int) -> list[BoardVersion]:
    """What is shown of a challenge, in the order of its boards, without milestones."""
    return await _list_live(session, challenge_id, BoardVersionRow.threshold.is_(None))


async def list_live_milestones(session: AsyncSession, challenge_id: int) -> list[BoardVersion]:
    """What is shown of a challenge's milestones, in their order."""
    return await _list_live(session, challenge_id, BoardVersionRow.threshold.is_not(None))


async def _list_live(session: AsyncSession, challenge_id: int, kind: ColumnElement[bool]) -> list[BoardVersion]:
    rows = await session.execute(_select_live.where(BoardRow.challenge_id == challenge_id, kind))
    return list(map(_to_board_version, rows))


def _to_board_version(row: Row[Any]) -> BoardVersion:
    return BoardVersion(row.id, row.state == "live", to_challenge(row), to_rules(row, row), row.board_id)


def _to_scored_version(row: Row[Any]) -> ScoredVersion:
    return ScoredVersion(row.id, row.state == "live", to_challenge(row), to_rules(row, row))


def to_challenge(row: BoardVersionRow | ChallengeRow | Row[Any]) -> Challenge:
    """The days and what counts, by which a version is scored or which a challenge shows."""
    return Challenge(row.first_day, row.last_day, row.counts_manual, row.counts_trainer, row.counts_commute)


def to_rules(version: BoardVersionRow | Row[Any], board: BoardRow | Row[Any]) -> Board:
    """A board by the rules of a version."""
    return Board(
        board.slug,
        board.name,
        Metric(version.metric),
        frozenset(version.sport_types),
        _to_points_rule(version.points) if version.points else None,
        version.threshold,
    )


def to_rule_columns(challenge: Challenge, board: Board) -> dict[str, Any]:
    """The columns of a version that say by which rules it is scored."""
    points = board.points
    return {
        "first_day": challenge.first_day,
        "last_day": challenge.last_day,
        "counts_manual": challenge.counts_manual,
        "counts_trainer": challenge.counts_trainer,
        "counts_commute": challenge.counts_commute,
        "metric": board.metric.value,
        "sport_types": sorted(board.sport_types),
        "threshold": board.threshold,
        "points": points
        and {
            "unit": points.unit.value,
            "per_unit": {sport: str(each) for sport, each in sorted(points.per_unit.items())},
            "daily_cap": None if points.daily_cap is None else str(points.daily_cap),
            "active_day_bonus": str(points.active_day_bonus),
        },
    }


def _to_points_rule(document: Mapping[str, Any]) -> PointsRule:
    cap = document["daily_cap"]
    return PointsRule(
        Metric(document["unit"]),
        {sport: Decimal(each) for sport, each in document["per_unit"].items()},
        None if cap is None else Decimal(cap),
        Decimal(document["active_day_bonus"]),
    )


async def list_changed(session: AsyncSession, board_ids: Collection[int]) -> list[ChangedBoards]:
    """These boards by their challenge; of milestones only the challenge."""
    rows = await session.execute(
        text(
            """select challenges.id, challenges.slug, challenges.first_day, challenges.last_day,
                      coalesce(array_agg(boards.slug order by boards.slug) filter (where not exists (
                          select from board_versions as v where v.board_id = boards.id and v.state = 'live'
                              and v.threshold is not null)), '{}') as boards
               from boards join challenges on challenges.id = boards.challenge_id
               where boards.id = any(:ids) group by challenges.id order by challenges.id"""
        ),
        {"ids": list(board_ids)},
    )
    return [ChangedBoards(row.id, row.slug, row.first_day, row.last_day, tuple(row.boards)) for row in rows]


async def next_revision(session: AsyncSession, challenge_id: int, now: datetime) -> int:
    """Count a change of the challenge's standings; held until the commit, so revisions become visible in order."""
    revision = await session.execute(
        update(ChallengeRow)
        .where(ChallengeRow.id == challenge_id)
        .values(revision=text(next_version("challenges.revision")), changed_at=now)
        .returning(ChallengeRow.revision)
    )
    return revision.scalar_one()


async def insert_challenge(
    session: AsyncSession, slug: str, fields: Mapping[str, Any], boards: Sequence[Board]
) -> ChallengeRow:
    """Create a challenge and its boards, which are not shown before they have a version."""
    row = ChallengeRow(slug=slug, changed_at=func.now(), **fields)
    session.add(row)
    await session.flush()
    for position, board in enumerate(boards):
        session.add(BoardRow(challenge_id=row.id, slug=board.slug, name=board.name, position=position))
    await session.flush()
    return row


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


async def find_purge(session: AsyncSession) -> datetime | None:
    """Before which start activities are yet to be deleted; None when they have been."""
    due = select(RetentionRow.before).where(RetentionRow.purged_before.is_distinct_from(RetentionRow.before))
    return (await session.execute(due)).scalar_one_or_none()


async def save_purged(session: AsyncSession, before: datetime) -> None:
    """Note that what started before then has been deleted."""
    await session.execute(update(RetentionRow).values(purged_before=before))


async def find_retention(session: AsyncSession) -> datetime | None:
    """Before which start activities are not kept."""
    return (await session.execute(select(RetentionRow.before))).scalar_one_or_none()
