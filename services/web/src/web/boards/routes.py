"""The pages of challenges and boards, and their live streams."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from sse_starlette import EventSourceResponse
from starlette.responses import RedirectResponse, Response

from shared.contracts.leaderboard_api import ChallengeInfo
from shared.errors import Forbidden, NotFound
from web.boards.board_cache import BoardCache, RenderedBoard
from web.boards.rendering import BoardRenderer
from web.boards.rules import challenge_phase
from web.http.dependencies import PAGE_METHODS, ContextDep, Visitor, VisitorDep, render_page
from web.http.rendering import LANGUAGES

router = APIRouter()

Slug = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]


def _boards(request: Request) -> BoardCache:
    boards: BoardCache = request.app.state.boards
    return boards


def _board_renderer(request: Request) -> BoardRenderer:
    renderer: BoardRenderer = request.app.state.board_renderer
    return renderer


BoardsDep = Annotated[BoardCache, Depends(_boards)]
BoardRendererDep = Annotated[BoardRenderer, Depends(_board_renderer)]


@router.api_route("/", methods=PAGE_METHODS)
async def home(
    request: Request, context: ContextDep, boards: BoardsDep, renderer: BoardRendererDep, visitor: VisitorDep
) -> Response:
    """The current challenge: what it is, and its first board."""
    try:
        challenge = await boards.current_challenge()
    except NotFound:
        return render_page(request, visitor, "boards/no_challenge.html")
    _check_may_see(challenge, visitor)
    if not challenge.boards:
        return render_page(request, visitor, "boards/no_challenge.html")
    rendered, is_current = await boards.get(challenge.slug, challenge.boards[0].slug)
    page = _board_context(request, renderer, visitor, rendered, is_current=is_current, now=context.clock())
    return render_page(request, visitor, "boards/board.html", {**page, "home": True})


@router.api_route("/c/{challenge}/{board}", methods=PAGE_METHODS)
async def board(
    *,
    request: Request,
    context: ContextDep,
    boards: BoardsDep,
    renderer: BoardRendererDep,
    visitor: VisitorDep,
    challenge: Slug,
    board: Slug,
) -> Response:
    """One board."""
    rendered, is_current = await boards.get(challenge, board)
    _check_may_see(rendered.standings.challenge, visitor)
    page = _board_context(request, renderer, visitor, rendered, is_current=is_current, now=context.clock())
    return render_page(request, visitor, "boards/board.html", {**page, "home": False})


@router.api_route("/c/{challenge}", methods=PAGE_METHODS)
async def challenge(context: ContextDep, challenge: Slug) -> Response:
    """The challenge's first board."""
    found = await context.leaderboard.challenge(challenge)
    if not found.boards:
        raise NotFound
    return RedirectResponse(f"/c/{found.slug}/{found.boards[0].slug}", 303)


@router.get("/live/c/{challenge}/{board}")
async def live(boards: BoardsDep, visitor: VisitorDep, challenge: Slug, board: Slug, lang: str = "en") -> Response:
    """The board as a stream of whole fragments, the first one at once."""
    rendered, _ = await boards.get(challenge, board)
    _check_may_see(rendered.standings.challenge, visitor)
    language = lang if lang in LANGUAGES else "en"
    return EventSourceResponse(boards.stream(challenge, board, language), send_timeout=30)


def _board_context(
    request: Request,
    renderer: BoardRenderer,
    visitor: Visitor,
    rendered: RenderedBoard,
    *,
    is_current: bool,
    now: datetime,
) -> dict[str, Any]:
    standings, fragment = rendered.standings, rendered.fragments[visitor.language]
    own = visitor.user and renderer.render_for(standings, visitor.language, fragment, visitor.user.id)
    challenge = standings.challenge
    return {
        "challenge": challenge,
        "board": standings.board,
        "standings_html": own or fragment.html,
        "current": is_current,
        "live": request.query_params.get("live") != "0",
        "on_board": own is not None,
        "phase": challenge_phase(challenge.first_day, challenge.last_day, challenge.time_zone, now),
    }


def _check_may_see(challenge: ChallengeInfo, visitor: Visitor) -> None:
    if challenge.visibility != "public" and visitor.user is None:
        raise Forbidden(code="members_only")
