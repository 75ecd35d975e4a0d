"""What every route depends on: the application's context, the visitor, and pages in the visitor's language."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from babel import negotiate_locale
from fastapi import Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shared.database.engine import Database, is_transient
from shared.errors import Forbidden
from web.clients.auth import AuthClient
from web.clients.calls import STRANGER, Api, Caller
from web.http import queries
from web.http.cookies import KEYS_COOKIE, LANGUAGE_COOKIE, THEME_COOKIE, Cookies
from web.http.rate_limits import FORMS, RateLimits
from web.http.ready_answers import PAGE_HEADERS, is_known, make_etag
from web.http.rendering import LANGUAGES, Renderer

#: A name as it is typed, which may be too long to be one; what is longer yet was not typed into our form.
TypedName = Annotated[str, Form(max_length=500)]
PAGE_METHODS = ["GET", "HEAD"]  # monitors ask with HEAD whether a page is there
MAX_LANGUAGES = 20  # of Accept-Language
THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class User:
    """The user that is signed in in this browser."""

    id: UUID
    display_name: str
    is_admin: bool = False
    strava: str = "connected"  # a `StravaAccess`


@dataclass(frozen=True)
class Visitor:
    """Who sent the request: language, theme, whether single keys do something, and the user if signed in."""

    language: str
    theme: str
    user: User | None
    has_keys: bool = True

    @property
    def caller(self) -> Caller:
        """For whom other services are asked."""
        return Caller(self.user.id, self.user.is_admin) if self.user else STRANGER


@dataclass(frozen=True)
class AppContext:
    """What `main` puts together for the routes."""

    renderer: Renderer
    leaderboard: Api
    auth: AuthClient
    database: Database
    clock: Callable[[], datetime]
    cookies: Cookies
    nightly_time_zone: str  # times that belong to no challenge are shown there, too
    rate_limits: RateLimits = field(default_factory=RateLimits)


def _context(request: Request) -> AppContext:
    context: AppContext = request.app.state.context
    return context


async def _get_context(request: Request) -> AppContext:
    # As all dependencies a coroutine: others run in a thread each, which takes longer than most pages.
    return _context(request)


ContextDep = Annotated[AppContext, Depends(_get_context)]


async def find_visitor(request: Request) -> Visitor:
    """The visitor of the request; anonymous while the database is away."""
    user = None
    context = _context(request)
    session_id = context.cookies.read_session(request)
    if session_id:
        try:
            async with context.database.transaction() as session:
                row = await queries.find_session(session, hash_token(session_id), context.clock())
                user = User(row.user_id, row.display_name, row.is_admin, row.strava) if row else None
        except Exception as error:
            if not is_transient(error):
                raise
    return read_visitor(request, user)


def read_visitor(request: Request, user: User | None = None) -> Visitor:
    """The visitor according to the request alone: anonymous, unless `user` is given."""
    theme = request.cookies.get(THEME_COOKIE, "system")
    has_keys = request.cookies.get(KEYS_COOKIE) != "off"
    return Visitor(_language(request), theme if theme in THEMES else "system", user, has_keys)


VisitorDep = Annotated[Visitor, Depends(find_visitor)]


async def _limit_forms(request: Request, context: ContextDep) -> None:
    if request.method not in PAGE_METHODS:
        context.rate_limits.spend(request, FORMS, "forms")


#: Of every router that has forms. Raises TooManyRequests.
LIMIT_FORMS = Depends(_limit_forms)


class SignInNeeded(Exception):
    """The page is for who is signed in: the visitor is led to where that is done."""


async def _require_user(visitor: VisitorDep) -> User:
    if visitor.user is None:
        raise SignInNeeded
    return visitor.user


async def _require_organiser(user: Annotated[User, Depends(_require_user)]) -> User:
    if not user.is_admin:
        raise Forbidden(code="organisers_only")
    return user


UserDep = Annotated[User, Depends(_require_user)]
OrganiserDep = Annotated[User, Depends(_require_organiser)]


def render_html(request: Request, visitor: Visitor, template: str, context: Mapping[str, Any] | None = None) -> str:
    """A page in the visitor's language and theme; `path` is where its forms come back to."""
    # Not `request.url`, which parses what the client says of the host.
    path = request.scope["path"] if request.method in {"GET", "HEAD"} else "/"
    common = {"visitor": visitor, "path": path, "themes": THEMES, "said": request.query_params.get("said", "")}
    return _context(request).renderer.render(visitor.language, template, {**common, **(context or {})})


def render_page(
    request: Request, visitor: Visitor, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    """A page as a response that may not be cached by others, and is not sent again to who has it."""
    return answer_page(request, render_html(request, visitor, template, context).encode(), status)


def answer_page(request: Request, body: bytes, status: int = 200, tagged: bytes | None = None) -> Response:
    """The same of a page that is rendered; `tagged` is given where the entity tag is not about all of it."""
    if status != 200:
        return HTMLResponse(body, status, PAGE_HEADERS)
    headers = {**PAGE_HEADERS, "ETag": make_etag(body if tagged is None else tagged)}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(body, status, headers)


def go_to(path: str, said: str = "") -> RedirectResponse:
    """After a form: the browser reads a page of this site, which says what was done by the name of a sentence."""
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}said={said}" if said else path, 303)


def generate_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What the database stores of a token."""
    return hashlib.sha256(token.encode()).digest()


def _language(request: Request) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").split(",", MAX_LANGUAGES)[:MAX_LANGUAGES]
    wanted = [part.split(";")[0].strip() for part in accepted]
    return negotiate_locale(wanted, list(LANGUAGES), sep="-") or "en"
