"""What every route depends on: the application's context, the visitor, and pages in the visitor's language."""

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
from web.clients.auth import AuthClient
from web.clients.leaderboard import LeaderboardClient
from web.http import queries
from web.http.rendering import LANGUAGES, Renderer

SESSION_COOKIE = "__Host-session"
BROWSER_COOKIE = "__Host-sign-in"
#: All cookies that are read.
COOKIES = (SESSION_COOKIE, BROWSER_COOKIE, "lang", "theme")
PAGE_METHODS = ["GET", "HEAD"]  # monitors ask with HEAD whether a page is there
YEAR_S = 365 * 24 * 3600
MAX_LANGUAGES = 20  # of Accept-Language
THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class User:
    """The user that is signed in in this browser."""

    id: UUID
    display_name: str


@dataclass(frozen=True)
class Visitor:
    """Who sent the request: language, theme, and the user if signed in."""

    language: str
    theme: str
    user: User | None


@dataclass(frozen=True)
class AppContext:
    """What `main` puts together for the routes."""

    renderer: Renderer
    leaderboard: LeaderboardClient
    auth: AuthClient
    database: Database
    clock: Callable[[], datetime]


def _context(request: Request) -> AppContext:
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(_context)]


async def find_visitor(request: Request) -> Visitor:
    """The visitor of the request; anonymous while the database is away."""
    user = None
    session_id = request.cookies.get(SESSION_COOKIE)
    if session_id:
        context = _context(request)
        try:
            async with context.database.transaction() as session:
                row = await queries.find_session(session, hash_token(session_id), context.clock())
                user = User(row.user_id, row.display_name) if row else None
        except Exception as error:
            if not is_transient(error):
                raise
    return read_visitor(request, user)


def read_visitor(request: Request, user: User | None = None) -> Visitor:
    """The visitor according to the request alone: anonymous, unless `user` is given."""
    theme = request.cookies.get("theme", "system")
    return Visitor(_language(request), theme if theme in THEMES else "system", user)


VisitorDep = Annotated[Visitor, Depends(find_visitor)]


def render_page(
    request: Request, visitor: Visitor, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> HTMLResponse:
    """A page as a response that may not be cached by others."""
    # Not `request.url`, which parses what the client says of the host.
    path = request.scope["path"] if request.method in {"GET", "HEAD"} else "/"
    common = {"visitor": visitor, "path": path, "themes": THEMES}
    body = _context(request).renderer.render(visitor.language, template, {**common, **(context or {})})
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(body, status, headers)


def set_cookie(response: Response, name: str, value: str, max_age_s: int) -> None:
    """Set a cookie that only this site and no script reads."""
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=True, httponly=True, samesite="lax")


def clear_cookie(response: Response, name: str) -> None:
    """Delete a cookie of ours."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def generate_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What the database stores of a token."""
    return hashlib.sha256(token.encode()).digest()


def _language(request: Request) -> str:
    chosen = request.cookies.get("lang")
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").split(",", MAX_LANGUAGES)[:MAX_LANGUAGES]
    wanted = [part.split(";")[0].strip() for part in accepted]
    return negotiate_locale(wanted, list(LANGUAGES), sep="-") or "en"
