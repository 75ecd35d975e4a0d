"""The read API of challenges."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges import queries
from leaderboard.challenges.queries import BoardVersion
from leaderboard.challenges.rules import choose_current
from leaderboard.dependencies import Viewer, ViewerDep
from leaderboard.tables import ChallengeRow
from shared.contracts.leaderboard_api import BoardInfo, BoardMetric, ChallengeInfo
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

router = APIRouter(responses=documented_errors(404))


@router.get("/challenges/current")
async def current_challenge(session: Transaction, viewer: ViewerDep) -> ChallengeInfo:
    """The challenge to show on the home page."""
    visible = await queries.list_visible_challenges(session, viewer.user_id, is_organiser=viewer.is_organiser)
    challenge = choose_current(visible, datetime.now(UTC))
    if challenge is None:
        raise NotFound("There is no challenge yet.")
    return to_challenge_info(challenge, await queries.list_live_versions(session, challenge.id))


@router.get("/challenges/{slug}")
async def challenge(slug: str, session: Transaction, viewer: ViewerDep) -> ChallengeInfo:
    """A challenge with its boards."""
    found = await get_challenge(session, slug, viewer)
    return to_challenge_info(found, await queries.list_live_versions(session, found.id))


async def get_challenge(session: AsyncSession, slug: str, viewer: Viewer) -> ChallengeRow:
    """The challenge with this slug, if this viewer may see it. Raises NotFound."""
    visible = await queries.list_visible_challenges(session, viewer.user_id, is_organiser=viewer.is_organiser)
    found = next((one for one in visible if one.slug == slug), None)
    if found is None:
        raise NotFound("There is no such challenge.")
    return found


def to_challenge_info(challenge: ChallengeRow, versions: Sequence[BoardVersion]) -> ChallengeInfo:
    """The challenge as the API describes it."""
    return ChallengeInfo(
        slug=challenge.slug,
        name=challenge.name,
        first_day=challenge.first_day,
        last_day=challenge.last_day,
        time_zone=challenge.time_zone,
        visibility=challenge.visibility,
        announcement=challenge.announcement,
        closed_at=challenge.closed_at.astimezone(UTC) if challenge.closed_at else None,
        boards=tuple(map(to_board_info, versions)),
    )


def to_board_info(version: BoardVersion) -> BoardInfo:
    """The board as the API describes it."""
    return BoardInfo(slug=version.board.slug, name=version.board.name, metric=BoardMetric(version.board.metric))
