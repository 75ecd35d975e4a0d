"""The first page after joining: a name, and the import as it goes."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from web.account import use_cases
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
    render_html,
    render_page,
)
from web.http.ready_answers import PAGE_HEADERS
from web.http.sentences import Sentence
from web.welcome.rules import import_state

MAX_POLLS = 150  # of one open page: five minutes

router = APIRouter(prefix="/welcome", dependencies=[LIMIT_FORMS])


@router.api_route("", methods=PAGE_METHODS)
async def welcome(request: Request, context: ContextDep, visitor: VisitorDep, user: UserDep) -> Response:
    """Choose a name, and see the activities come in."""
    return await _welcome_page(request, context, visitor, user)


@router.post("")
async def choose_name(
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    display_name: TypedName = "",
) -> Response:
    """The name with which boards show the user."""
    problem = await use_cases.rename(context, user, display_name)
    if problem is None:
        return go_to("/welcome", "renamed")
    return await _welcome_page(request, context, visitor, user, problem=problem, display_name=display_name)


@router.get("/import")
async def import_progress(
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    polls: Annotated[int, Query(ge=0, le=MAX_POLLS)] = 0,
) -> Response:
    """How far the import is, for an open page that waits for its end."""
    page = await _load_progress(context, user, polls)
    return HTMLResponse(render_html(request, visitor, "welcome/import.html", page), headers=PAGE_HEADERS)


async def _load_progress(context: AppContext, user: User, polls: int = 0) -> dict[str, Any]:
    status = await use_cases.find_status(context, user)
    state = (
        import_state(status.activities, status.last_outcome, has_succeeded=status.last_success_at is not None)
        if status
        else "waiting"
    )
    return {
        "state": state,
        "activities": status.activities if status else 0,
        "polls": polls,
        "may_poll": polls < MAX_POLLS and state != "done",
    }


async def _welcome_page(
    request: Request,
    context: AppContext,
    visitor: Visitor,
    user: User,
    *,
    problem: Sentence | None = None,
    display_name: str | None = None,
) -> Response:
    account = await use_cases.load_account(context, user)
    page = {
        **await _load_progress(context, user),
        "account": account,
        "display_name": user.display_name if display_name is None else display_name,
        "problem": problem,
    }
    return render_page(request, visitor, "welcome/welcome.html", page, 422 if problem else 200)
