"""What every route needs: the visitor, the site's parts, and an answer in the visitor's language."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from babel import negotiate_locale
from fastapi import Depends, Request
from starlette.responses import HTMLResponse, Response

from shared.database.engine import Database, is_transient
from web import queries
from web.clients import Auth, Leaderboard
from web.live import Boards
from web.rendering import LANGUAGES, Renderer

SESSION_COOKIE = "__Host-session"
BROWSER_COOKIE = "__Host-sign-in"
#: All that are read.
COOKIES = (SESSION_COOKIE, BROWSER_COOKIE, "lang", "theme")
PAGE_METHODS = ["GET", "HEAD"]  # monitors ask with HEAD whether a page is there
YEAR_S = 365 * 24 * 3600
MAX_LANGUAGES = 20  # of a browser's wishes, in the order of which we look
THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class User:
    """Who is signed in on this browser."""

    id: UUID
    display_name: str


@dataclass(frozen=True)
class Visitor:
    """Whoever asks: how they want to read, and who they are if they signed in."""

    language: str
    theme: str
    user: User | None


@dataclass(frozen=True)
class Site:
    """The parts that `main` put together."""

    renderer: Renderer
    boards: Boards
    leaderboard: Leaderboard
    auth: Auth
    database: Database
    secret: bytes
    clock: Callable[[], datetime]


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


TheSite = Annotated[Site, Depends(_site)]


async def find_visitor(request: Request) -> Visitor:
    """Read the cookies; while the database is away everyone reads as a guest."""
    user = None
    session_id = request.cookies.get(SESSION_COOKIE)
    if session_id:
        site = _site(request)
        try:
            async with site.database.transaction() as session:
                row = await queries.find_session(session, hash_of(session_id), site.clock())
                user = User(row.user_id, row.display_name) if row else None
        except Exception as error:
            if not is_transient(error):
                raise
    return reader(request, user)


def reader(request: Request, user: User | None = None) -> Visitor:
    """The visitor as far as the request alone tells."""
    theme = request.cookies.get("theme", "system")
    return Visitor(_language(request), theme if theme in THEMES else "system", user)


TheVisitor = Annotated[Visitor, Depends(find_visitor)]


def answer(
    request: Request, visitor: Visitor, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> HTMLResponse:
    """A whole page."""
    # Not `request.url`, which parses what the client says of the host.
    path = request.scope["path"] if request.method in {"GET", "HEAD"} else "/"
    common = {"visitor": visitor, "path": path, "themes": THEMES}
    body = _site(request).renderer.page(visitor.language, template, {**common, **(context or {})})
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(body, status, headers)


def set_cookie(response: Response, name: str, value: str, max_age: int) -> None:
    response.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def clear_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def new_secret() -> str:
    """256 bits that nobody can guess."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What the database keeps of a secret: enough to recognise it, nothing to use it."""
    return hashlib.sha256(secret.encode()).digest()


def _language(request: Request) -> str:
    chosen = request.cookies.get("lang")
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").split(",", MAX_LANGUAGES)[:MAX_LANGUAGES]
    wanted = [part.split(";")[0].strip() for part in accepted]
    return negotiate_locale(wanted, list(LANGUAGES), sep="-") or "en"
