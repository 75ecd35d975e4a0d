"""The page of one participant in a challenge."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.contracts.leaderboard_api import ChallengeInfo, ParticipantProfile
from web.challenges.dependencies import ChallengeDep, challenge_context
from web.challenges.rules import local_day
from web.charts.rendering import FIELDS, calendar_context, choose_board, keep_board, line_context
from web.clients.profiles import ProfilesClient
from web.http.dependencies import PAGE_METHODS, ContextDep, VisitorDep
from web.live.pages import Live, LivePagesDep
from web.live.rules import make_view

router = APIRouter()


@router.api_route("/c/{challenge}/p/{user_id}", methods=PAGE_METHODS)
async def profile(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user_id: UUID,
    board: Annotated[str, Query(max_length=80)] = "",
    live: Live = "",
) -> Response:
    """Places, streaks, active days and progress of a participant; the days are those of one board."""

    async def load() -> dict[str, Any]:
        shown = await ProfilesClient(context.leaderboard).get(challenge.slug, user_id, visitor.caller)
        return _page_context(challenge, shown, board, context.clock())

    view = make_view(f"/c/{challenge.slug}/p/{user_id}", live, board=keep_board(challenge, board))
    return await pages.show(request, visitor, challenge, "profiles/profile.html", view, load)


def _page_context(challenge: ChallengeInfo, shown: ParticipantProfile, board: str, now: datetime) -> dict[str, Any]:
    page = {**challenge_context(challenge, "people", now), "profile": shown, "board": None}
    page["figures"] = {one.board: one for one in shown.boards}
    chosen = choose_board(challenge, board, frozenset(one.board for one in shown.days))
    if chosen is not None:
        values = {
            day.day: float(getattr(day, FIELDS[chosen.metric])) for day in shown.days if day.board == chosen.slug
        }
        today = local_day(challenge.time_zone, now)
        page |= {
            "board": chosen,
            **calendar_context(challenge, chosen.metric, values, today),
            **line_context(challenge, chosen.metric, values, today),
        }
    return page
