"""Settings: what people choose about themselves, what is known of them, and leaving."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from shared.errors import AppError, NotFound
from web.account import use_cases
from web.clients.participants import ParticipantsClient
from web.http import queries
from web.http.dependencies import (
    LIMIT_FORMS,
    PAGE_METHODS,
    AppContext,
    ContextDep,
    TypedName,
    User,
    UserDep,
    Visitor,
    VisitorDep,
    go_to,
    render_page,
)
from web.http.downloads import open_download
from web.http.sentences import Sentence, describe_refusal, sentence

SETTINGS = "/settings"

YesOrNo = Annotated[Literal["yes", "no"], Form()]

_NOT_SURE = sentence("Please tick the box first: what is deleted does not come back.")
_NOT_KNOWN_YET = sentence(
    "This can be chosen as soon as your first activities have been asked for. Please try again soon."
)

router = APIRouter(dependencies=[LIMIT_FORMS])


@router.api_route(SETTINGS, methods=PAGE_METHODS)
async def settings(request: Request, context: ContextDep, visitor: VisitorDep, user: UserDep) -> Response:
    """Everything that can be chosen."""
    return await _settings_page(request, context, visitor, user)


@router.post(f"{SETTINGS}/name")
async def rename(
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    display_name: TypedName = "",
) -> Response:
    """Another display name."""
    problem = await use_cases.rename(context, user, display_name)
    if problem is None:
        return go_to(SETTINGS, "renamed")
    return await _settings_page(
        request, context, visitor, user, problems={"display_name": problem}, display_name=display_name
    )


@router.post(f"{SETTINGS}/listing")
async def choose_listed(
    request: Request, context: ContextDep, visitor: VisitorDep, user: UserDep, listed: YesOrNo
) -> Response:
    """Be on boards, or on none."""
    try:
        await ParticipantsClient(context.leaderboard, user.id).choose_listed(listed=listed == "yes")
    except AppError as error:
        problems = {"listed": _describe(error)}
        return await _settings_page(request, context, visitor, user, problems=problems)
    return go_to(SETTINGS, "listed" if listed == "yes" else "hidden")


@router.post(f"{SETTINGS}/private")
async def choose_private(
    request: Request, context: ContextDep, visitor: VisitorDep, user: UserDep, count: YesOrNo
) -> Response:
    """Let private activities count, or not."""
    try:
        await ParticipantsClient(context.leaderboard, user.id).choose_private(count=count == "yes")
    except AppError as error:
        problems = {"private": _describe(error)}
        return await _settings_page(request, context, visitor, user, problems=problems)
    return go_to(SETTINGS, "private-on" if count == "yes" else "private-off")


@router.api_route(f"{SETTINGS}/disconnect", methods=PAGE_METHODS)
async def confirm_disconnecting(request: Request, visitor: VisitorDep, _user: UserDep) -> Response:
    """What disconnecting means, before it is done."""
    return render_page(request, visitor, "account/disconnect.html", {"problem": None})


@router.post(f"{SETTINGS}/disconnect")
async def disconnect(request: Request, context: ContextDep, visitor: VisitorDep, user: UserDep) -> Response:
    """Disconnect Strava."""
    try:
        await use_cases.disconnect(context, user)
    except AppError as error:
        problem = describe_refusal(error)[""]
        return render_page(request, visitor, "account/disconnect.html", {"problem": problem}, error.status)
    return go_to(SETTINGS, "disconnected")


@router.get(f"{SETTINGS}/download")
async def download(context: ContextDep, user: UserDep) -> Response:
    """Everything that is known of the user, as a JSON file. Raises Unavailable."""
    known = await use_cases.get_known(context, user)
    async with context.database.transaction() as session:
        sessions = [
            {"created_at": row.created_at.isoformat(), "last_seen_at": row.last_seen_at.isoformat()}
            for row in await queries.list_sessions(session, user.id)
        ]
    own = json.dumps({"account": known.model_dump(mode="json"), "sessions": sessions}, ensure_ascii=False)
    return await open_download(
        _export(context, user),
        "gruppetto-my-data.json",
        "application/json",
        before=f'{own[:-1]}, "challenges": '.encode(),
        after=b"}",
    )


@asynccontextmanager
async def _export(context: AppContext, user: User) -> AsyncIterator[AsyncIterator[bytes]]:
    """What leaderboard knows of the user; null when it has not heard of them."""
    async with AsyncExitStack() as stack:
        try:
            chunks = await stack.enter_async_context(ParticipantsClient(context.leaderboard, user.id).export())
        except NotFound:
            chunks = _null()
        yield chunks


async def _null() -> AsyncIterator[bytes]:
    yield b"null"


@router.api_route(f"{SETTINGS}/delete", methods=PAGE_METHODS)
async def confirm_deleting(request: Request, visitor: VisitorDep, _user: UserDep) -> Response:
    """What deleting means, before it is done."""
    return render_page(request, visitor, "account/delete.html", {"problem": None, "is_sure": False})


@router.post(f"{SETTINGS}/delete")
async def delete(
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    sure: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Delete everything about the user, and sign them out."""
    if sure != "yes":
        page: dict[str, Any] = {"problem": _NOT_SURE, "is_sure": False}
        return render_page(request, visitor, "account/delete.html", page, 422)
    try:
        await use_cases.erase(context, user)
    except AppError as error:
        page = {"problem": describe_refusal(error)[""], "is_sure": True}
        return render_page(request, visitor, "account/delete.html", page, error.status)
    return await use_cases.end_account(context, user.id)


@router.api_route(use_cases.GOODBYE, methods=PAGE_METHODS)
async def goodbye(request: Request, visitor: VisitorDep) -> Response:
    """What happens now, for who was deleted."""
    return render_page(request, visitor, "account/goodbye.html")


async def _settings_page(
    request: Request,
    context: AppContext,
    visitor: Visitor,
    user: User,
    *,
    problems: dict[str, Sentence] | None = None,
    display_name: str | None = None,
) -> Response:
    account = await use_cases.load_account(context, user)
    page = {
        "account": account,
        "display_name": user.display_name if display_name is None else display_name,
        "zone": context.nightly_time_zone,
        "problems": problems or {},
    }
    return render_page(request, visitor, "account/settings.html", page, 422 if problems else 200)


def _describe(error: AppError) -> Sentence:
    return _NOT_KNOWN_YET if isinstance(error, NotFound) else describe_refusal(error)[""]
