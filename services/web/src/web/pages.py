"""The pages that anybody may read, and how they come to life."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request
from markupsafe import Markup
from sse_starlette import EventSourceResponse
from starlette.responses import RedirectResponse, Response

from shared.contracts.leaderboard_api import ChallengeInfo
from shared.errors import Forbidden, NotFound
from web.assets import Asset
from web.live import Shown
from web.rendering import LANGUAGES
from web.schedule import phase_of
from web.site import PAGE_METHODS, YEAR_S, Site, TheSite, TheVisitor, Visitor, answer, set_cookie

router = APIRouter()

Slug = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]


@router.api_route("/", methods=PAGE_METHODS)
async def home(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """The current challenge: what it is, and its first board."""
    try:
        challenge = await site.boards.current_challenge()
    except NotFound:
        return answer(request, visitor, "no_challenge.html")
    _check_may_see(challenge, visitor)
    if not challenge.boards:
        return answer(request, visitor, "no_challenge.html")
    shown, current = await site.boards.show(challenge.slug, challenge.boards[0].slug)
    context = _board_context(request, site, visitor, shown, current)
    return answer(request, visitor, "board.html", {**context, "home": True})


@router.api_route("/c/{challenge}/{board}", methods=PAGE_METHODS)
async def board(request: Request, site: TheSite, visitor: TheVisitor, challenge: Slug, board: Slug) -> Response:
    """One board."""
    shown, current = await site.boards.show(challenge, board)
    _check_may_see(shown.standings.challenge, visitor)
    context = _board_context(request, site, visitor, shown, current)
    return answer(request, visitor, "board.html", {**context, "home": False})


@router.api_route("/c/{challenge}", methods=PAGE_METHODS)
async def challenge(site: TheSite, challenge: Slug) -> Response:
    """The challenge's first board."""
    found = await site.leaderboard.challenge(challenge)
    if not found.boards:
        raise NotFound
    return RedirectResponse(f"/c/{found.slug}/{found.boards[0].slug}", 303)


@router.get("/live/c/{challenge}/{board}")
async def live(site: TheSite, visitor: TheVisitor, challenge: Slug, board: Slug, lang: str = "en") -> Response:
    """The board as a stream of whole fragments, the first one at once."""
    shown, _current = await site.boards.show(challenge, board)
    _check_may_see(shown.standings.challenge, visitor)
    language = lang if lang in LANGUAGES else "en"
    return EventSourceResponse(site.boards.stream(challenge, board, language), send_timeout=30)


@router.api_route("/privacy", methods=PAGE_METHODS)
async def privacy(request: Request, visitor: TheVisitor) -> Response:
    return answer(request, visitor, "privacy.html")


@router.api_route("/terms", methods=PAGE_METHODS)
async def terms(request: Request, visitor: TheVisitor) -> Response:
    return answer(request, visitor, "terms.html")


@router.post("/preferences")
async def preferences(
    back: Annotated[str, Form()] = "/",
    lang: Annotated[Literal["en", "pl"] | None, Form()] = None,
    theme: Annotated[Literal["system", "light", "dark"] | None, Form()] = None,
) -> Response:
    """Remember a choice in this browser, and return."""
    response = RedirectResponse(_inside(back), 303)
    if lang:
        set_cookie(response, "lang", lang, YEAR_S)
    if theme:
        set_cookie(response, "theme", theme, YEAR_S)
    return response


@router.api_route("/static/{path:path}", methods=PAGE_METHODS)
async def static(request: Request, path: str) -> Response:
    """A file whose name holds its hash."""
    asset: Asset | None = request.app.state.assets_by_url.get(f"/static/{path}")
    if asset is None:
        raise NotFound
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _board_context(request: Request, site: Site, visitor: Visitor, shown: Shown, current: bool) -> dict[str, Any]:
    challenge = shown.standings.challenge
    html = shown.html[visitor.language]
    mine = f'<tr id="p-{visitor.user.id}"' if visitor.user else ""
    on_board = bool(mine) and mine in html
    if on_board:  # the rendered board is everyone's; only this copy is mine
        html = html.replace(mine, f'{mine} class="me" aria-current="true"', 1)
    return {
        "challenge": challenge,
        "board": shown.standings.board,
        "standings_html": Markup(html),  # noqa: S704 -- rendered with autoescape
        "current": current,
        "live": request.query_params.get("live") != "0",
        "on_board": on_board,
        "phase": phase_of(challenge.first_day, challenge.last_day, challenge.time_zone, site.clock()),
    }


def _check_may_see(challenge: ChallengeInfo, visitor: Visitor) -> None:
    if challenge.visibility != "public" and visitor.user is None:
        raise Forbidden(code="members_only")


def _inside(path: str) -> str:
    """The path if it stays on this site."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else "/"
