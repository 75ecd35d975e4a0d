"""The read API of milestones: reached or not, without places."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query

from leaderboard.challenges.queries import BoardVersion
from leaderboard.challenges.routes import get_shown
from leaderboard.dependencies import ViewerDep
from leaderboard.milestones import queries
from shared.contracts.leaderboard_api import (
    BoardMetric,
    MilestoneEntry,
    MilestoneInfo,
    MilestonePage,
    MilestoneProgress,
)
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

router = APIRouter(responses=documented_errors(404))


@router.get("/challenges/{slug}/milestones")
async def list_milestones(slug: str, session: Transaction, viewer: ViewerDep) -> tuple[MilestoneInfo, ...]:
    """A challenge's milestones, how many reached them, and how far the viewer is."""
    shown = await get_shown(session, slug, viewer)
    reached = await queries.count_reached(session, shown.row.id)
    progress = (
        await queries.find_progress(session, viewer.user_id, [version.id for version in shown.milestones])
        if viewer.user_id
        else {}
    )
    return tuple(
        _to_info(
            version,
            reached.get(version.board_id, 0),
            MilestoneProgress(value=float(own.value), reached_at=own.reached_at)
            if (own := progress.get(version.id))
            else None,
        )
        for version in shown.milestones
    )


@router.get("/challenges/{slug}/milestones/{milestone_slug}")
async def get_milestone(
    slug: str,
    milestone_slug: str,
    session: Transaction,
    viewer: ViewerDep,
    *,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> MilestonePage:
    """Who reached a milestone and when, the first one first."""
    shown = await get_shown(session, slug, viewer)
    version = next((one for one in shown.milestones if one.board.slug == milestone_slug), None)
    if version is None:
        raise NotFound("There is no such milestone.")
    rows = await queries.list_reached(session, version.board_id, version.id, offset, limit)
    counts = await queries.count_reached(session, shown.row.id)
    return MilestonePage(
        milestone=_to_info(version, counts.get(version.board_id, 0), None),
        rows=tuple(
            MilestoneEntry(
                user_id=row.user_id, display_name=row.display_name, reached_at=row.reached_at.astimezone(UTC)
            )
            for row in rows
        ),
    )


def _to_info(version: BoardVersion, reached: int, own: MilestoneProgress | None) -> MilestoneInfo:
    assert version.board.threshold is not None
    return MilestoneInfo(
        slug=version.board.slug,
        name=version.board.name,
        metric=BoardMetric(version.board.metric),
        threshold=float(version.board.threshold),
        reached=reached,
        own=own,
    )
