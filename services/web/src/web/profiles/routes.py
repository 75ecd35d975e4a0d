"""The page of one participant in a challenge."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from web.challenges.dependencies import ChallengeDep, challenge_context
from web.challenges.rules import local_day
from web.charts.rendering import FIELDS, calendar_context, choose_board, line_context
from web.clients.profiles import ProfilesClient
from web.http.dependencies import PAGE_METHODS, ContextDep, VisitorDep, render_page

router = APIRouter()


@router.api_route("/c/{challenge}/p/{user_id}", methods=PAGE_METHODS)
async def profile(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user_id: UUID,
    board: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Places, streaks, active days and progress of a participant; the days are those of one board."""
    shown = await ProfilesClient(context.leaderboard).get(challenge.slug, user_id, visitor.caller)
    now = context.clock()
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
    return render_page(request, visitor, "profiles/profile.html", page)
