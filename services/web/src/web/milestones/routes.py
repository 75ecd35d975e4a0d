"""The milestones of a challenge, and who reached them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.errors import NotFound
from web.challenges.dependencies import ChallengeDep, Slug, challenge_context
from web.challenges.rules import count_pages
from web.clients.milestones import MilestonesClient
from web.http.dependencies import PAGE_METHODS, ContextDep, VisitorDep, render_page

MAX_PAGE = 1_000
PAGE_ROWS = 100

router = APIRouter()


@router.api_route("/c/{challenge}/milestones", methods=PAGE_METHODS)
async def milestones(request: Request, context: ContextDep, visitor: VisitorDep, challenge: ChallengeDep) -> Response:
    """All milestones of a challenge, and how far the visitor is."""
    found = await MilestonesClient(context.leaderboard).list(challenge.slug, visitor.caller)
    page = {**challenge_context(challenge, "milestones", context.clock()), "milestones": found}
    return render_page(request, visitor, "milestones/milestones.html", page)


@router.api_route("/c/{challenge}/milestones/{milestone}", methods=PAGE_METHODS)
async def milestone(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    milestone: Slug,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> Response:
    """Who reached one milestone, and when."""
    client = MilestonesClient(context.leaderboard)
    # What is asked of all milestones has the visitor's own part, too.
    found = next((one for one in await client.list(challenge.slug, visitor.caller) if one.slug == milestone), None)
    if found is None:
        raise NotFound
    offset = (page - 1) * PAGE_ROWS
    reached = await client.get(challenge.slug, milestone, visitor.caller, limit=PAGE_ROWS, offset=offset)
    shown = {
        **challenge_context(challenge, "milestones", context.clock()),
        "milestone": found,
        "rows": reached.rows,
        "page": page,
        "pages": count_pages(found.reached, PAGE_ROWS),
        "pages_path": f"/c/{challenge.slug}/milestones/{milestone}",
    }
    return render_page(request, visitor, "milestones/milestone.html", shown)
