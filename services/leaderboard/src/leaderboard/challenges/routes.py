"""The read API of challenges."""

from datetime import UTC, datetime
from typing import TypeVar

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges import queries
from leaderboard.challenges.queries import BoardVersion, ShownChallenge
from leaderboard.challenges.rules import choose_current, currency
from leaderboard.dependencies import Viewer, ViewerDep
from leaderboard.tables import ChallengeRow
from shared.contracts.leaderboard_api import BoardInfo, BoardMetric, ChallengeInfo
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

router = APIRouter(responses=documented_errors(404))

FoundT = TypeVar("FoundT")


@router.get("/challenges")
async def list_challenges(session: Transaction, viewer: ViewerDep) -> tuple[ChallengeInfo, ...]:
    """All challenges that the viewer may see, each with its boards: the current one, and what would be without it.

    Those that are running come first, then those that ended, the last one first, then those that have not begun.
    """
    now = datetime.now(UTC)
    shown = await queries.list_shown(session, viewer.user_id, is_organiser=viewer.is_organiser)
    return tuple(map(to_challenge_info, sorted(shown, key=lambda one: currency(one.row, now))))


@router.get("/challenges/current")
async def current_challenge(session: Transaction, viewer: ViewerDep) -> ChallengeInfo:
    """The challenge to show on the home page."""
    visible = await queries.list_visible_challenges(session, viewer.user_id, is_organiser=viewer.is_organiser)
    current = choose_current(visible, datetime.now(UTC))
    if current is None:
        raise NotFound("There is no challenge yet.")
    return to_challenge_info(await get_shown(session, current.slug, viewer))


@router.get("/challenges/{slug}")
async def challenge(slug: str, session: Transaction, viewer: ViewerDep) -> ChallengeInfo:
    """A challenge with its boards."""
    return to_challenge_info(await get_shown(session, slug, viewer))


async def get_challenge(session: AsyncSession, slug: str, viewer: Viewer) -> ChallengeRow:
    """The challenge with this slug, if this viewer may see it. Raises NotFound."""
    return _require(await queries.find_visible(session, slug, viewer.user_id, is_organiser=viewer.is_organiser))


async def get_shown(session: AsyncSession, slug: str, viewer: Viewer) -> ShownChallenge:
    """The same with what is shown of it. Raises NotFound."""
    return _require(await queries.find_shown(session, slug, viewer.user_id, is_organiser=viewer.is_organiser))


def _require(found: FoundT | None) -> FoundT:
    if found is None:
        raise NotFound("There is no such challenge.")
    return found


def to_challenge_info(shown: ShownChallenge) -> ChallengeInfo:
    """The challenge as the API describes it."""
    row = shown.row
    return ChallengeInfo(
        slug=row.slug,
        name=row.name,
        first_day=row.first_day,
        last_day=row.last_day,
        time_zone=row.time_zone,
        visibility=row.visibility,
        announcement=row.announcement,
        closed_at=row.closed_at.astimezone(UTC) if row.closed_at else None,
        boards=tuple(map(to_board_info, shown.versions)),
        team_size=row.team_size,
        milestones=len(shown.milestones),
    )


def to_board_info(version: BoardVersion) -> BoardInfo:
    """The board as the API describes it."""
    return BoardInfo(slug=version.board.slug, name=version.board.name, metric=BoardMetric(version.board.metric))
