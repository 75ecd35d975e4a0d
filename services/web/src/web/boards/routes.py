"""The pages of boards, and their live streams."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import RedirectResponse, Response

from shared.contracts.leaderboard_api import BoardInfo, ChallengeInfo
from shared.errors import Forbidden, NotFound
from web.boards.board_cache import BoardCache, RenderedWindow
from web.boards.filtered import BoardFilter, FilteredBoards
from web.boards.own_rows import OwnRow, OwnRows
from web.boards.rendering import BoardRenderer, find_own_row
from web.boards.rules import BoardKind, WindowKey, clip_range
from web.challenges.dependencies import (
    ChallengeDep,
    CurrentChallengeDep,
    DirectoryDep,
    Slug,
    challenge_context,
    is_for_members,
)
from web.challenges.rules import ChallengePhase
from web.http.dependencies import (
    PAGE_METHODS,
    THEMES,
    AppContext,
    ContextDep,
    Visitor,
    VisitorDep,
    render_html,
    render_page,
)
from web.http.downloads import open_download
from web.http.rate_limits import READS
from web.http.ready_answers import accepts_gzip, make_ready
from web.http.rendering import LANGUAGES
from web.http.security import content_security_policy
from web.live.rules import pause
from web.live.streams import LiveStreams

MAX_PAGE = 10_000
MAX_SEARCH = 50  # characters of a name

router = APIRouter()


@dataclass(frozen=True)
class BoardPages:
    """What `main` puts together for these routes."""

    cache: BoardCache
    renderer: BoardRenderer
    filtered: FilteredBoards
    own_rows: OwnRows
    streams: LiveStreams


async def _board_pages(request: Request) -> BoardPages:
    pages: BoardPages = request.app.state.board_pages
    return pages


BoardPagesDep = Annotated[BoardPages, Depends(_board_pages)]
Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Layout: TypeAlias = Literal["page", "home", "embed", "screen"]
Day = Annotated[str, Query(max_length=20)]
Search = Annotated[str, Query(max_length=MAX_SEARCH)]


@dataclass(frozen=True)
class View:
    """Which window of a board a page shows, and how."""

    key: WindowKey
    is_live: bool = True
    layout: Layout = "page"

    @property
    def is_home(self) -> bool:
        """Whether it is the home page."""
        return self.layout == "home"

    @property
    def template(self) -> str:
        """Of the whole page."""
        return f"boards/{self.layout}.html" if self.layout in {"embed", "screen"} else "boards/board.html"

    @property
    def path(self) -> str:
        """The address of the page without what pauses it."""
        path = "/" if self.is_home else f"/c/{self.key.challenge}/{self.key.board}"
        query = [f"view={self.key.kind}"] if self.key.kind != "people" else []
        query += [f"page={self.key.page}"] if self.key.page > 1 else []
        return f"{path}?{'&'.join(query)}" if query else path

    @property
    def paused_path(self) -> str:
        """The address of the page as it is now, which stays so."""
        return pause(self.path)


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
    view = View(WindowKey(challenge.slug, challenge.boards[0].slug), is_live=live != "0", layout="home")
    return await _show(request, context, pages, visitor, challenge, view)


@router.api_route("/c/{challenge}", methods=PAGE_METHODS)
async def challenge(challenge: ChallengeDep) -> Response:
    """The challenge's first board."""
    if not challenge.boards:
        raise NotFound
    return RedirectResponse(f"/c/{challenge.slug}/{challenge.boards[0].slug}", 303)


# Before the board itself, whose pattern it has, too.
@router.get("/c/{challenge}/{board}.csv")
async def board_file(
    *,
    request: Request,
    context: ContextDep,
    challenge: ChallengeDep,
    board: Slug,
    visitor: VisitorDep,
    first: Day = "",
    last: Day = "",
) -> Response:
    """The board as a file for spreadsheets, whole or for some days."""
    _find_board(challenge, board)
    try:
        days = _parse_day(first), _parse_day(last)
    except ValueError:
        raise NotFound from None
    context.rate_limits.spend(request, READS, "files")
    path = f"/challenges/{challenge.slug}/boards/{board}.csv"
    source = context.leaderboard.stream(path, visitor.caller, first_day=days[0], last_day=days[1])
    return await open_download(source, f"{challenge.slug}-{board}.csv", "text/csv")


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
    search: Search = "",
    first: Day = "",
    last: Day = "",
) -> Response:
    """One board: its participants, or its teams; or those of its rows that a name or some days leave."""
    info = _find_board(challenge, board)
    if search.strip() or first or last:
        asked = FilterForm(search.strip(), first, last, page)
        return await _show_filtered(request, context, pages, visitor, challenge, info, asked)
    shown = View(WindowKey(challenge.slug, board, view, page), is_live=live != "0")
    return await _show(request, context, pages, visitor, challenge, shown)


@router.get("/c/{challenge}/{board}/mine")
async def mine(
    *,
    request: Request,
    context: ContextDep,
    pages: BoardPagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    board: Slug,
) -> Response:
    """The line that says where on the board the visitor is."""
    _find_board(challenge, board)
    key = WindowKey(challenge.slug, board)
    rendered, _ = await pages.cache.get(key)
    context.rate_limits.spend(request, READS, "own rows")
    own = await pages.own_rows.find(key, rendered.window, visitor.user.id) if visitor.user else None
    if own is None:
        return Response(status_code=204)
    return render_page(request, visitor, "boards/own.html", {"own": own, "own_path": _board_path(key)})


@router.api_route("/c/{challenge}/{board}/{layout}", methods=PAGE_METHODS)
async def board_alone(
    *,
    request: Request,
    context: ContextDep,
    pages: BoardPagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    board: Slug,
    layout: Literal["embed", "screen"],
    view: BoardKind = "people",
    lang: str = "",
    theme: str = "",
) -> Response:
    """The board for a frame on another site, or for a large screen that hangs somewhere.

    To everybody it is what strangers see, in the language and theme that the address says.
    """
    _find_board(challenge, board)
    if layout == "embed" and challenge.visibility != "public":
        raise NotFound
    stranger = Visitor(
        lang if lang in LANGUAGES else visitor.language, theme if theme in THEMES else visitor.theme, None
    )
    alone = View(WindowKey(challenge.slug, board, view), layout=layout)
    return await _show(request, context, pages, stranger, challenge, alone)


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
    deflated = accepts_gzip(request)
    stream = pages.cache.stream(key, language, last_event_id or known, deflated=deflated)
    return pages.streams.open(request, visitor, stream, deflated=deflated)


async def _show(  # noqa: PLR0917 - the request and what it is about
    request: Request, context: AppContext, pages: BoardPages, visitor: Visitor, challenge: ChallengeInfo, view: View
) -> Response:
    rendered, is_current = await pages.cache.get(view.key)
    page = {
        **challenge_context(challenge, "boards", context.clock()),
        "board": rendered.window.board,
        "view": view,
        "current": is_current,
    }
    if visitor.user is None:
        return _answer_stranger(request, visitor, rendered, page)
    own = await pages.own_rows.find(view.key, rendered.window, visitor.user.id)
    page["own_path"] = _board_path(view.key) if own and own.page != view.key.page else ""
    shown = _mark_own(pages.renderer, rendered, visitor.language, view.key, own)
    message = rendered.messages[visitor.language]
    return render_page(request, visitor, view.template, {**page, **shown, "known": message.id, "path": view.path})


@dataclass(frozen=True)
class FilterForm:
    """What a visitor asks of a board, as they wrote it."""

    search: str
    first: str
    last: str
    page: int


async def _show_filtered(  # noqa: PLR0917 - the request and what it is about
    request: Request,
    context: AppContext,
    pages: BoardPages,
    visitor: Visitor,
    challenge: ChallengeInfo,
    board: BoardInfo,
    asked: FilterForm,
) -> Response:
    page = {
        **challenge_context(challenge, "boards", context.clock()),
        "board": board,
        "asked": asked,
        "problem": "",
        "view": View(WindowKey(challenge.slug, board.slug), is_live=False),
    }
    try:
        days = clip_range(_parse_day(asked.first), _parse_day(asked.last), challenge.first_day, challenge.last_day)
    except ValueError:
        return render_page(request, visitor, "boards/filtered.html", {**page, "problem": "date"}, 422)
    if days is None:
        return render_page(request, visitor, "boards/filtered.html", {**page, "problem": "days"}, 422)
    context.rate_limits.spend(request, READS, "filtered boards")
    first, last = days if asked.first or asked.last else (None, None)
    found = await pages.filtered.read(
        BoardFilter(challenge.slug, board.slug, asked.search, first, last, 1 if asked.search else asked.page)
    )
    own_id = visitor.user.id if visitor.user else None
    html = pages.renderer.render_filtered(found, visitor.language, asked.page, own_id, asked)
    return render_page(request, visitor, "boards/filtered.html", {**page, "standings_html": html, "days": days})


def _parse_day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _board_path(key: WindowKey) -> str:
    return f"/c/{key.challenge}/{key.board}"


def _answer_stranger(request: Request, visitor: Visitor, rendered: RenderedWindow, page: dict[str, Any]) -> Response:
    """The page that is the same for all who are not signed in: made once."""
    view, phase, challenge = page["view"], page["phase"], page["challenge"]
    settings = (visitor.language, visitor.theme, visitor.has_keys)
    variant = Variant(view, *settings, phase, challenge, page["current"])
    ready = rendered.pages.get(variant)
    if ready is None:
        fragment, message = rendered.fragments[visitor.language], rendered.messages[visitor.language]
        own = {"standings_html": fragment.html, "own": None, "known": message.id, "path": view.path}
        html = render_html(request, visitor, view.template, {**page, **own, "said": ""})
        ready = make_ready(html, content_security_policy(frames="*") if view.layout == "embed" else "")
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
    return {"standings_html": html, "own": own}


def _find_board(challenge: ChallengeInfo, slug: str) -> BoardInfo:
    found = next((one for one in challenge.boards if one.slug == slug), None)
    if found is None:
        raise NotFound
    return found
