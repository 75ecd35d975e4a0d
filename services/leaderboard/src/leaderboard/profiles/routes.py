"""What is shown of one participant in a challenge."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import Row

from leaderboard.challenges.routes import get_shown
from leaderboard.challenges.rules import local_day
from leaderboard.dependencies import ReadTransaction, ViewerDep
from leaderboard.profiles import queries
from leaderboard.profiles.rules import find_streaks
from shared.contracts.leaderboard_api import ParticipantProfile, ProfileBoard, ProfileDay, ProfileTeam
from shared.errors import NotFound
from shared.http.api import documented_errors

router = APIRouter(responses=documented_errors(404))

_FIGURES = ("distance_m", "moving_time_s", "elev_gain_m", "activities", "points")


@router.get("/challenges/{slug}/participants/{user_id}")
async def get_profile(slug: str, user_id: UUID, session: ReadTransaction, viewer: ViewerDep) -> ParticipantProfile:
    """A participant's places and totals on each board, their days, and their streaks.

    Who is hidden is shown to themselves and to organisers.
    """
    shown = await get_shown(session, slug, viewer)
    found = await queries.find_participant(session, shown.row.id, user_id)
    if found is None or (found.is_hidden and viewer.user_id != user_id and not viewer.is_organiser):
        raise NotFound("There is no such participant.")
    slugs = {version.id: version.board.slug for version in shown.versions}
    figures = await queries.list_figures(session, user_id, slugs)
    days = await queries.list_days(session, user_id, slugs)
    streaks = find_streaks([row.day for row in days], local_day(shown.row, datetime.now(UTC)))
    return ParticipantProfile(
        user_id=user_id,
        display_name=found.display_name,
        team=ProfileTeam(id=found.team_id, name=found.team_name) if found.team_id is not None else None,
        current_streak_days=streaks.current,
        longest_streak_days=streaks.longest,
        boards=tuple(
            ProfileBoard(board=slug, place=figures[version_id].place, **_to_figures(figures[version_id]))
            for version_id, slug in slugs.items()
            if version_id in figures
        ),
        days=_to_days(days, slugs),
        is_hidden=found.is_hidden,
    )


def _to_days(rows: Sequence[Row[Any]], slugs: dict[int, str]) -> tuple[ProfileDay, ...]:
    return tuple(ProfileDay(board=slugs[row.version_id], day=row.day, **_to_figures(row)) for row in rows)


def _to_figures(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIGURES}
