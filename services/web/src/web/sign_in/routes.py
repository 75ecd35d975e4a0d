"""Joining, signing in over Strava, and signing out."""

import re
from dataclasses import replace
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from shared.contracts.auth_api import (
    AuthErrorCode,
    AuthorizationRequest,
    AuthorizationResponse,
    SignedInUser,
)
from shared.errors import AppError, TooManyRequests, Unavailable
from web.challenges.dependencies import DirectoryDep, find_current
from web.challenges.directory import ChallengeDirectory
from web.http.dependencies import (
    LIMIT_FORMS,
    PAGE_METHODS,
    AppContext,
    ContextDep,
    User,
    Visitor,
    VisitorDep,
    generate_token,
    hash_token,
    render_page,
)
from web.http.local_pages import find_page, join_path
from web.http.queries import ABSOLUTE_LIMIT, add_session, delete_session
from web.http.rate_limits import SIGN_INS
from web.http.security import content_security_policy
from web.sign_in.rules import CONSENT_VERSION

SESSION_COOKIE_S = int(ABSOLUTE_LIMIT.total_seconds())
SIGN_IN_COOKIE_S = 15 * 60  # as long as auth takes what comes back from Strava
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # what `generate_token` makes

#: What auth may refuse -> which explanation the visitor reads, and its status.
_REFUSALS: dict[str, tuple[str, int]] = {
    AuthErrorCode.ACCESS_DENIED: ("denied", 403),
    AuthErrorCode.SIGN_IN_EXPIRED: ("expired", 409),
    AuthErrorCode.SCOPE_MISSING: ("scope_missing", 403),
    AuthErrorCode.CAPACITY: ("capacity", 403),
    AuthErrorCode.RATE_LIMITED: ("too_often", 429),
    AuthErrorCode.UNAVAILABLE: ("away", 503),
}


class OAuthCallback(BaseModel):
    """The query with which Strava sends a browser back."""

    state: str = Field(default="", max_length=500)
    code: str = Field(default="", max_length=500)
    scope: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x1f]*$")
    error: str = Field(default="", max_length=500)


log = structlog.stdlib.get_logger(__name__)
router = APIRouter(dependencies=[LIMIT_FORMS])


@router.api_route("/join", methods=PAGE_METHODS)
async def join(request: Request, context: ContextDep, visitor: VisitorDep, again: str = "", to: str = "") -> Response:
    """What is fetched, shown and kept, and the consent.

    `again` when a permission was left out at Strava; `to` is the page that was wanted.
    """
    return await _join_page(request, context, visitor, again=again == "1", to=find_page(to))


@router.post("/join")
async def connect(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    consent: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "",
) -> Response:
    """Redirect to Strava once the consent is given."""
    page = find_page(to)
    if consent != "yes":
        return await _join_page(request, context, visitor, again=again == "1", to=page, problem=True)
    context.rate_limits.spend(request, SIGN_INS, "sign-ins")
    browser = request.cookies.get(context.cookies.browser, "")  # kept, so that two open tabs both work
    if not _TOKEN.fullmatch(browser):
        browser = generate_token()
    wanted = AuthorizationRequest(
        browser=browser, consent_version=CONSENT_VERSION, force_prompt=again == "1", return_to=page
    )
    try:
        url = await context.auth.begin_authorization(wanted)
    except TooManyRequests:
        return _failed(request, visitor, "too_often", 429)
    response = RedirectResponse(url, 303)
    context.cookies.set(response, context.cookies.browser, browser, SIGN_IN_COOKIE_S)
    return response


@router.get("/auth/strava/callback")
async def callback(
    request: Request,
    context: ContextDep,
    directory: DirectoryDep,
    visitor: VisitorDep,
    query: Annotated[OAuthCallback, Query()],
) -> Response:
    """The browser comes back from Strava, with or without a code."""
    context.rate_limits.spend(request, SIGN_INS, "callbacks")
    browser = request.cookies.get(context.cookies.browser)
    if not browser:
        return _failed(request, visitor, "expired", 409)
    try:
        signed_in = await context.auth.sign_in(AuthorizationResponse(browser=browser, **query.model_dump()))
    except AppError as refusal:
        log.info("sign-in refused", reason=refusal.code)
        return _failed(request, visitor, *_REFUSALS.get(refusal.code, ("other", refusal.status)))
    response = RedirectResponse(await _landing_path(directory, visitor, signed_in), 303)
    await _start_session(request, response, context, signed_in)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, context: ContextDep) -> Response:
    """End this browser's session, here and in the database."""
    session_id = context.cookies.read_session(request)
    if session_id:
        async with context.database.transaction() as session:
            await delete_session(session, hash_token(session_id))
    response = RedirectResponse("/", 303)
    context.cookies.clear(response, context.cookies.session)
    return response


async def _join_page(
    request: Request, context: AppContext, visitor: Visitor, *, again: bool, to: str, problem: bool = False
) -> Response:
    # Browsers apply form-action to redirects too, so the page must know where its form will lead.
    origin = await context.auth.authorize_origin()
    page: dict[str, Any] = {"problem": problem, "again": again, "to": to, "path": join_path(to, again=again)}
    response = render_page(request, visitor, "sign_in/join.html", page, 422 if problem else 200)
    response.headers["Content-Security-Policy"] = content_security_policy(origin)
    return response


async def _start_session(request: Request, response: Response, context: AppContext, user: SignedInUser) -> None:
    session_id = generate_token()
    before = context.cookies.read_session(request)
    async with context.database.transaction() as session:
        if before:
            await delete_session(session, hash_token(before))
        await add_session(
            session,
            hash_token(session_id),
            user_id=user.user_id,
            display_name=user.display_name,
            is_admin=user.is_admin,
            now=context.clock(),
        )
    context.cookies.set(response, context.cookies.session, session_id, SESSION_COOKIE_S)


async def _landing_path(directory: ChallengeDirectory, visitor: Visitor, signed_in: SignedInUser) -> str:
    if signed_in.first_time:
        return "/welcome"
    if page := find_page(signed_in.return_to):
        return page
    user = User(signed_in.user_id, signed_in.display_name, signed_in.is_admin)
    try:
        challenge = await find_current(directory, replace(visitor, user=user))
    except Unavailable:
        return "/"
    return f"/c/{challenge.slug}/{challenge.boards[0].slug}" if challenge and challenge.boards else "/"


def _failed(request: Request, visitor: Visitor, reason: str, status: int) -> Response:
    return render_page(request, visitor, "sign_in/sign_in_failed.html", {"reason": reason}, status)
