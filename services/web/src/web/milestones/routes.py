"""The milestones of a challenge, and who reached them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.errors import NotFound
from web.challenges.dependencies import ChallengeDep, Slug, challenge_context
from web.challenges.rules import count_pages
from web.clients.milestones import MilestonesClient
from web.http.dependencies import PAGE_METHODS, ContextDep, VisitorDep
from web.live.pages import Live, LivePagesDep
from web.live.rules import make_view

MAX_PAGE = 1_000
PAGE_ROWS = 100

router = APIRouter()


@router.api_route("/c/{challenge}/milestones", methods=PAGE_METHODS)
async def milestones(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    live: Live = "",
) -> Response:
    """All milestones of a challenge, and how far the visitor is."""

    async def load() -> dict[str, Any]:
        found = await MilestonesClient(context.leaderboard).list(challenge.slug, visitor.caller)
        return {**challenge_context(challenge, "milestones", context.clock()), "milestones": found}

    view = make_view(f"/c/{challenge.slug}/milestones", live)
    return await pages.show(request, visitor, challenge, "milestones/milestones.html", view, load)


@router.api_route("/c/{challenge}/milestones/{milestone}", methods=PAGE_METHODS)
async def milestone(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    milestone: Slug,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    live: Live = "",
) -> Response:
    """Who reached one milestone, and when."""
    path = f"/c/{challenge.slug}/milestones/{milestone}"

    async def load() -> dict[str, Any]:
        client = MilestonesClient(context.leaderboard)
        # What is asked of all milestones has the visitor's own part, too.
        everything = await client.list(challenge.slug, visitor.caller)
        found = next((one for one in everything if one.slug == milestone), None)
        if found is None:
            raise NotFound
        offset = (page - 1) * PAGE_ROWS
        reached = await client.get(challenge.slug, milestone, visitor.caller, limit=PAGE_ROWS, offset=offset)
        return {
            **challenge_context(challenge, "milestones", context.clock()),
            "milestone": found,
            "rows": reached.rows,
            "page": page,
            "pages": count_pages(found.reached, PAGE_ROWS),
            "pages_path": path,
        }

    view = make_view(path, live, page=page if page > 1 else None)
    return await pages.show(request, visitor, challenge, "milestones/milestone.html", view, load)
