"""Joining, coming back from Strava, and signing out."""

import hashlib
import hmac
from typing import Annotated, Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from shared.contracts.auth_api import AuthErrorCode, SignedInUser
from shared.errors import AppError, NotFound, Unavailable
from web import queries
from web.guard import content_security_policy
from web.site import (
    BROWSER_COOKIE,
    PAGE_METHODS,
    SESSION_COOKIE,
    Site,
    TheSite,
    TheVisitor,
    Visitor,
    answer,
    clear_cookie,
    hash_of,
    new_secret,
    set_cookie,
)

CONSENT_VERSION = "2026-11-22"  # the day when the words in join.html last changed their meaning
SESSION_COOKIE_S = int(queries.ABSOLUTE_LIMIT.total_seconds())
SIGN_IN_COOKIE_S = int(queries.SIGN_IN_LIMIT.total_seconds())

#: What auth may refuse -> which explanation the visitor reads, and its status.
_REFUSALS: dict[str, tuple[str, int]] = {
    AuthErrorCode.SIGN_IN_EXPIRED: ("expired", 409),
    AuthErrorCode.SCOPE_MISSING: ("scope_missing", 403),
    AuthErrorCode.CAPACITY: ("capacity", 403),
    AuthErrorCode.UNAVAILABLE: ("away", 503),
}


class FromStrava(BaseModel):
    """What Strava adds to the address that it sends a browser back to."""

    state: str = Field(default="", max_length=500)
    code: str = Field(default="", max_length=500)
    scope: str = Field(default="", max_length=500)
    error: str = Field(default="", max_length=500)


log = structlog.stdlib.get_logger(__name__)
router = APIRouter()


@router.api_route("/join", methods=PAGE_METHODS)
async def join(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """What is fetched, shown and kept; then the consent."""
    return await _join_page(request, site, visitor, problem=False)


@router.post("/join")
async def connect(
    request: Request, site: TheSite, visitor: TheVisitor, consent: Annotated[str, Form()] = ""
) -> Response:
    """On to Strava, once the consent is given."""
    if consent != "yes":
        return await _join_page(request, site, visitor, problem=True)
    state = new_secret()
    browser = request.cookies.get(BROWSER_COOKIE) or new_secret()  # kept, so that two open tabs both work
    url = await site.auth.authorize_url(state)
    async with site.database.transaction() as session:
        await queries.add_sign_in(session, _state_hash(site, state, browser), CONSENT_VERSION, site.clock())
    response = RedirectResponse(url, 303)
    set_cookie(response, BROWSER_COOKIE, browser, SIGN_IN_COOKIE_S)
    return response


@router.get("/auth/strava/callback")
async def callback(
    request: Request, site: TheSite, visitor: TheVisitor, back: Annotated[FromStrava, Query()]
) -> Response:
    """Back from Strava, with a yes or a no."""
    browser = request.cookies.get(BROWSER_COOKIE, "")
    async with site.database.transaction() as session:
        consent_version = await queries.take_sign_in(session, _state_hash(site, back.state, browser), site.clock())
    if back.error:
        return _failed(request, visitor, "denied", 403)
    if consent_version is None or not back.code:
        return _failed(request, visitor, "expired", 409)
    try:
        signed_in = await site.auth.sign_in(back.code, back.scope, consent_version)
    except AppError as refusal:
        log.info("sign-in refused", reason=refusal.code)
        return _failed(request, visitor, *_REFUSALS.get(refusal.code, ("other", refusal.status)))
    response = RedirectResponse(await _first_board(site), 303)
    await _start_session(request, response, site, signed_in)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, site: TheSite) -> Response:
    """End this browser's session, here and in the database."""
    session_id = request.cookies.get(SESSION_COOKIE)
    if session_id:
        async with site.database.transaction() as session:
            await queries.delete_session(session, hash_of(session_id))
    response = RedirectResponse("/", 303)
    clear_cookie(response, SESSION_COOKIE)
    return response


async def _join_page(request: Request, site: Site, visitor: Visitor, problem: bool) -> Response:
    # Browsers apply form-action to redirects too, so the page must know where its form will lead.
    there = urlsplit(await site.auth.authorize_url("unused"))
    context: dict[str, Any] = {"problem": problem}
    response = answer(request, visitor, "join.html", context, 422 if problem else 200)
    response.headers["Content-Security-Policy"] = content_security_policy(f"{there.scheme}://{there.netloc}")
    return response


async def _start_session(request: Request, response: Response, site: Site, who: SignedInUser) -> None:
    session_id = new_secret()
    before = request.cookies.get(SESSION_COOKIE)
    async with site.database.transaction() as session:
        if before:
            await queries.delete_session(session, hash_of(before))
        await queries.add_session(
            session,
            hash_of(session_id),
            user_id=who.user_id,
            display_name=who.display_name,
            is_admin=who.is_admin,
            now=site.clock(),
        )
    set_cookie(response, SESSION_COOKIE, session_id, SESSION_COOKIE_S)


async def _first_board(site: Site) -> str:
    try:
        challenge = await site.boards.current_challenge()
    except (NotFound, Unavailable):
        return "/"
    return f"/c/{challenge.slug}/{challenge.boards[0].slug}" if challenge.boards else "/"


def _state_hash(site: Site, state: str, browser: str) -> bytes:
    """Names one sign-in of one browser: neither half alone is of use."""
    return hmac.digest(site.secret, f"{state} {browser}".encode(), hashlib.sha256)


def _failed(request: Request, visitor: Visitor, reason: str, status: int) -> Response:
    return answer(request, visitor, "sign_in_failed.html", {"reason": reason}, status)
