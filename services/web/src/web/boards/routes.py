"""The pages of boards, and their live streams."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import RedirectResponse, Response

from shared.contracts.leaderboard_api import BoardInfo, ChallengeInfo, StandingEntry
from shared.errors import Forbidden, NotFound
from web.boards.board_cache import BoardCache, RenderedWindow
from web.boards.own_rows import OwnRow, OwnRows
from web.boards.rendering import BoardRenderer, find_own_row
from web.boards.rules import BoardKind, WindowKey, page_of
from web.boards.streams import LiveStreams
from web.challenges.dependencies import (
    ChallengeDep,
    CurrentChallengeDep,
    DirectoryDep,
    Slug,
    challenge_context,
    is_for_members,
)
from web.challenges.rules import ChallengePhase
from web.http.dependencies import PAGE_METHODS, AppContext, ContextDep, Visitor, VisitorDep, render_html, render_page
from web.http.ready_answers import make_ready
from web.http.rendering import LANGUAGES

MAX_PAGE = 10_000

router = APIRouter()


@dataclass(frozen=True)
class BoardPages:
    """What `main` puts together for these routes."""

    cache: BoardCache
    renderer: BoardRenderer
    own_rows: OwnRows
    streams: LiveStreams


def _board_pages(request: Request) -> BoardPages:
    pages: BoardPages = request.app.state.board_pages
    return pages


BoardPagesDep = Annotated[BoardPages, Depends(_board_pages)]
Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True)
class View:
    """Which window of a board a page shows, and how."""

    key: WindowKey
    is_live: bool = True
    is_home: bool = False

    @property
    def path(self) -> str:
        """The address of the page without what pauses it."""
        path = "/" if self.is_home else f"/c/{self.key.challenge}/{self.key.board}"
        query = [f"view={self.key.kind}"] if self.key.kind != "people" else []
        query += [f"page={self.key.page}"] if self.key.page > 1 else []
        return f"{path}?{'&'.join(query)}" if query else path


@dataclass(frozen=True)
class Variant:
    """By what pages for strangers differ that show the same window."""

    view: View
    language: str
    theme: str
    has_keys: bool
    phase: ChallengePhase
    challenge: ChallengeInfo
    is_current: bool


@router.api_route("/", methods=PAGE_METHODS)
async def home(
    *,
    request: Request,
    context: ContextDep,
    pages: BoardPagesDep,
    visitor: VisitorDep,
    directory: DirectoryDep,
    challenge: CurrentChallengeDep,
    live: str = "",
) -> Response:
    """The current challenge: what it is, and its first board."""
    if challenge is None and visitor.user is None and any(is_for_members(one) for one in await directory.list()):
        raise Forbidden(code="members_only")
    if challenge is None or not challenge.boards:
        return render_page(request, visitor, "boards/no_challenge.html")
    view = View(WindowKey(challenge.slug, challenge.boards[0].slug), is_live=live != "0", is_home=True)
    return await _show(request, context, pages, visitor, challenge, view)


@router.api_route("/c/{challenge}", methods=PAGE_METHODS)
async def challenge(challenge: ChallengeDep) -> Response:
    """The challenge's first board."""
    if not challenge.boards:
        raise NotFound
    return RedirectResponse(f"/c/{challenge.slug}/{challenge.boards[0].slug}", 303)


@router.api_route("/c/{challenge}/{board}", methods=PAGE_METHODS)
async def board(
    *,
    request: Request,
    context: ContextDep,
    pages: BoardPagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    board: Slug,
    page: Page = 1,
    view: BoardKind = "people",
    live: str = "",
) -> Response:
    """One board: its participants, or its teams."""
    _find_board(challenge, board)
    shown = View(WindowKey(challenge.slug, board, view, page), is_live=live != "0")
    return await _show(request, context, pages, visitor, challenge, shown)


@router.get("/live/c/{challenge}/{board}")
async def live(
    *,
    request: Request,
    pages: BoardPagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    board: Slug,
    page: Page = 1,
    view: BoardKind = "people",
    lang: str = "en",
    known: Annotated[str, Query(max_length=64)] = "",
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> Response:
    """The window as a stream of whole fragments, the first one at once unless the page has it already."""
    _find_board(challenge, board)
    key = WindowKey(challenge.slug, board, view, page)
    await pages.cache.get(key)
    language = lang if lang in LANGUAGES else "en"
    return pages.streams.open(request, visitor, key, language, last_event_id or known)


async def _show(  # noqa: PLR0917 - the request and what it is about
    request: Request, context: AppContext, pages: BoardPages, visitor: Visitor, challenge: ChallengeInfo, view: View
) -> Response:
    rendered, is_current = await pages.cache.get(view.key)
    page = {
        **challenge_context(challenge, "boards", context.clock()),
        "board": rendered.window.board,
        "view": view,
        "current": is_current,
        "said": request.query_params.get("said", ""),
    }
    if visitor.user is None:
        return _answer_stranger(request, visitor, rendered, page)
    own = await pages.own_rows.find(view.key, rendered.window, visitor.user.id)
    shown = _mark_own(pages.renderer, rendered, visitor.language, view.key, own)
    message = rendered.messages[visitor.language]
    return render_page(
        request, visitor, "boards/board.html", {**page, **shown, "known": message.id, "path": view.path}
    )


def _answer_stranger(request: Request, visitor: Visitor, rendered: RenderedWindow, page: dict[str, Any]) -> Response:
    """The page that is the same for all who are not signed in: made once."""
    view, phase, challenge = page["view"], page["phase"], page["challenge"]
    settings = (visitor.language, visitor.theme, visitor.has_keys)
    variant = Variant(view, *settings, phase, challenge, page["current"])
    ready = rendered.pages.get(variant)
    if ready is None:
        fragment, message = rendered.fragments[visitor.language], rendered.messages[visitor.language]
        own = {"standings_html": fragment.html, "own": None, "known": message.id, "path": view.path}
        ready = make_ready(render_html(request, visitor, "boards/board.html", {**page, **own, "said": ""}))
        rendered.pages[variant] = ready
    return ready.respond(request)


def _mark_own(
    renderer: BoardRenderer, rendered: RenderedWindow, language: str, key: WindowKey, own: OwnRow | None
) -> dict[str, Any]:
    fragment = rendered.fragments[language]
    index = find_own_row(rendered.window, own.row if own else None)
    if index is None:
        html = fragment.html
    else:
        html = renderer.mark_own(rendered.window, language, fragment, index, page=key.page)
    return {"standings_html": html, "own": own and _own_context(own.row, own.offset)}


def _own_context(row: StandingEntry, offset: int) -> dict[str, Any]:
    return {"row": row, "page": page_of(offset)}


def _find_board(challenge: ChallengeInfo, slug: str) -> BoardInfo:
    found = next((one for one in challenge.boards if one.slug == slug), None)
    if found is None:
        raise NotFound
    return found
