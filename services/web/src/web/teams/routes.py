"""Teams of a challenge: what everybody sees, and what participants do."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from shared.contracts.leaderboard_api import ChallengeInfo
from shared.contracts.teams_api import MAX_ROW_ID, MAX_TEAM_NAME, OwnTeam, TeamDetails, TeamDraft, TeamErrorCode
from shared.errors import AppError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from web.challenges.dependencies import ChallengeDep, challenge_context
from web.challenges.rules import count_pages, local_day
from web.charts.rendering import choose_board, keep_board, line_context
from web.clients.teams import TeamsClient
from web.http.dependencies import (
    LIMIT_FORMS,
    PAGE_METHODS,
    AppContext,
    ContextDep,
    TypedName,
    UserDep,
    Visitor,
    VisitorDep,
    go_to,
    render_page,
)
from web.http.sentences import Sentence, check_form, describe_refusal, sentence
from web.live.pages import Live, LivePagesDep
from web.live.rules import make_view
from web.teams.rules import order_contributions

MAX_PAGE = 10_000
PAGE_ROWS = 50

TeamId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]

_BAD_NAME = sentence("Please give a name of 1 to %(most)s characters.", most=MAX_TEAM_NAME)
_TAKEN = sentence("There is a team of that name already. Please choose another one.")
_CLOSED = sentence("This challenge is closed, so its teams stay as they are.")
_NO_PARTICIPANT = sentence("You do not take part yet. Please try again in a moment.")
#: What is said of a refusal to join.
_SAID = {TeamErrorCode.TEAM_FULL.value: "full", TeamErrorCode.CHALLENGE_CLOSED.value: "closed"}

router = APIRouter(dependencies=[LIMIT_FORMS])


@router.api_route("/c/{challenge}/teams", methods=PAGE_METHODS)
async def teams(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    live: Live = "",
) -> Response:
    """All teams by name, and the visitor's own before them."""
    path = f"/c/{challenge.slug}/teams"

    async def load() -> dict[str, Any]:
        client = TeamsClient(context.leaderboard)
        found = await client.list(challenge.slug, visitor.caller, limit=PAGE_ROWS, offset=(page - 1) * PAGE_ROWS)
        return {
            **_page_context(context, challenge),
            "teams": found,
            "own": await _find_own(client, challenge, visitor),
            "page": page,
            "pages": count_pages(found.total, PAGE_ROWS),
            "pages_path": path,
        }

    view = make_view(path, live, page=page if page > 1 else None)
    return await pages.show(request, visitor, challenge, "teams/teams.html", view, load)


@router.api_route("/c/{challenge}/teams/new", methods=PAGE_METHODS)
async def new_team(
    request: Request, context: ContextDep, visitor: VisitorDep, challenge: ChallengeDep, _user: UserDep
) -> Response:
    """The form that creates a team."""
    own = await _find_own(TeamsClient(context.leaderboard), challenge, visitor)
    shown = {**_page_context(context, challenge), "own": own, "name": "", "problem": None}
    return render_page(request, visitor, "teams/new.html", shown)


@router.post("/c/{challenge}/teams/new")
async def create_team(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user: UserDep,
    name: TypedName = "",
) -> Response:
    """Create a team, which its creator is in then."""
    draft, problem = _check(challenge, name)
    status = 422
    try:
        if draft is not None:
            team = await TeamsClient(context.leaderboard).create(challenge.slug, user.id, draft)
            return go_to(f"/c/{challenge.slug}/teams/{team.id}", "created")
    except AppError as error:
        problem, status = _describe(error), _status_of(error)
    shown = {**_page_context(context, challenge), "own": None, "name": name, "problem": problem}
    return render_page(request, visitor, "teams/new.html", shown, status)


@router.post("/c/{challenge}/teams/leave")
async def leave_team(context: ContextDep, challenge: ChallengeDep, user: UserDep) -> Response:
    """Leave the team; whoever is in none any more is told the same."""
    path = f"/c/{challenge.slug}/teams"
    if challenge.closed_at:
        return go_to(path, "closed")
    try:
        await TeamsClient(context.leaderboard).leave(challenge.slug, user.id)
    except Conflict as error:
        if error.code == TeamErrorCode.CHALLENGE_CLOSED:
            return go_to(path, "closed")
    except Unavailable:
        return go_to(path, "away")
    return go_to(path, "left")


@router.api_route("/c/{challenge}/teams/{team_id}", methods=PAGE_METHODS)
async def team(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    team_id: TeamId,
    board: Annotated[str, Query(max_length=80)] = "",
    live: Live = "",
) -> Response:
    """A team: who is in it, what they bring in on a board, and how that grew."""

    async def load() -> dict[str, Any]:
        client = TeamsClient(context.leaderboard)
        found = await client.get(challenge.slug, team_id, visitor.caller)
        busy = frozenset(figures.board for member in found.members for figures in member.figures)
        shown = {
            **_page_context(context, challenge),
            "team": found,
            "own": await _find_own(client, challenge, visitor),
            "board": choose_board(challenge, board, busy),
        }
        if shown["board"] is not None:
            shown |= await _board_context(context, visitor, challenge, found, shown["board"])
        return shown

    view = make_view(f"/c/{challenge.slug}/teams/{team_id}", live, board=keep_board(challenge, board))
    return await pages.show(request, visitor, challenge, "teams/team.html", view, load)


@router.post("/c/{challenge}/teams/{team_id}/join")
async def join_team(context: ContextDep, challenge: ChallengeDep, user: UserDep, team_id: TeamId) -> Response:
    """Join a team; when somebody else took its last place, that is said."""
    path = f"/c/{challenge.slug}/teams/{team_id}"
    if challenge.closed_at:
        return go_to(path, "closed")
    try:
        await TeamsClient(context.leaderboard).join(challenge.slug, user.id, team_id)
    except Conflict as error:
        return go_to(f"/c/{challenge.slug}/teams", _SAID.get(error.code, "changed"))
    except NotFound:
        return go_to(f"/c/{challenge.slug}/teams", "gone")
    except Unavailable:
        return go_to(path, "away")
    return go_to(path, "joined")


@router.api_route("/c/{challenge}/teams/{team_id}/edit", methods=PAGE_METHODS)
async def edit_team(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user: UserDep,
    team_id: TeamId,
) -> Response:
    """The form that renames a team, for its creator."""
    own = await _get_created(TeamsClient(context.leaderboard), challenge, user.id, team_id)
    shown = {**_page_context(context, challenge), "team_id": own.id, "name": own.name, "problem": None}
    return render_page(request, visitor, "teams/edit.html", shown)


@router.post("/c/{challenge}/teams/{team_id}/edit")
async def rename_team(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user: UserDep,
    team_id: TeamId,
    name: TypedName = "",
) -> Response:
    """Rename a team as its creator."""
    draft, problem = _check(challenge, name)
    status = 422
    try:
        if draft is not None:
            await TeamsClient(context.leaderboard).rename(challenge.slug, user.id, team_id, draft)
            return go_to(f"/c/{challenge.slug}/teams/{team_id}", "renamed")
    except (NotFound, Forbidden):
        raise NotFound from None
    except AppError as error:
        problem, status = _describe(error), _status_of(error)
    shown = {**_page_context(context, challenge), "team_id": team_id, "name": name, "problem": problem}
    return render_page(request, visitor, "teams/edit.html", shown, status)


@router.api_route("/c/{challenge}/teams/{team_id}/delete", methods=PAGE_METHODS)
async def confirm_deletion(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    user: UserDep,
    team_id: TeamId,
) -> Response:
    """Ask the creator whether the team is to be deleted."""
    own = await _get_created(TeamsClient(context.leaderboard), challenge, user.id, team_id)
    return render_page(request, visitor, "teams/delete.html", {**_page_context(context, challenge), "team": own})


@router.post("/c/{challenge}/teams/{team_id}/delete")
async def delete_team(context: ContextDep, challenge: ChallengeDep, user: UserDep, team_id: TeamId) -> Response:
    """Delete a team as its creator; one that is gone already is deleted, too."""
    path = f"/c/{challenge.slug}/teams"
    if challenge.closed_at:
        return go_to(path, "closed")
    try:
        await TeamsClient(context.leaderboard).delete(challenge.slug, user.id, team_id)
    except NotFound:
        pass
    except Forbidden:
        raise NotFound from None
    except Conflict:
        return go_to(path, "closed")
    except Unavailable:
        return go_to(f"{path}/{team_id}", "away")
    return go_to(path, "deleted")


def _page_context(context: AppContext, challenge: ChallengeInfo) -> dict[str, Any]:
    return challenge_context(challenge, "teams", context.clock())


async def _find_own(client: TeamsClient, challenge: ChallengeInfo, visitor: Visitor) -> OwnTeam | None:
    return await client.find_own(challenge.slug, visitor.user.id) if visitor.user else None


async def _get_created(client: TeamsClient, challenge: ChallengeInfo, user_id: Any, team_id: int) -> OwnTeam:
    own = await client.find_own(challenge.slug, user_id)
    if own is None or own.id != team_id or not own.is_creator:
        raise NotFound
    return own


async def _board_context(
    context: AppContext, visitor: Visitor, challenge: ChallengeInfo, team: TeamDetails, board: Any
) -> dict[str, Any]:
    days = await TeamsClient(context.leaderboard).list_days(challenge.slug, team.id, board.slug, visitor.caller)
    values = {day.day: day.value for day in days}
    today = local_day(challenge.time_zone, context.clock())
    brought = (
        (member, next((figures.value for figures in member.figures if figures.board == board.slug), 0.0))
        for member in team.members
    )
    return {
        "contributions": order_contributions(brought),
        **line_context(challenge, board.metric, values, today),
    }


def _check(challenge: ChallengeInfo, name: str) -> tuple[TeamDraft | None, Sentence | None]:
    if challenge.closed_at:
        return None, _CLOSED
    draft, problems = check_form(TeamDraft, {"name": name})
    return draft, _BAD_NAME if problems else None


def _status_of(error: AppError) -> int:
    return 503 if isinstance(error, Unavailable) else 422


def _describe(error: AppError) -> Sentence:
    if isinstance(error, Conflict) and error.code == TeamErrorCode.TEAM_NAME_TAKEN:
        return _TAKEN
    if isinstance(error, Conflict) and error.code == TeamErrorCode.CHALLENGE_CLOSED:
        return _CLOSED
    if isinstance(error, Invalid):
        return _BAD_NAME
    if isinstance(error, NotFound):
        return _NO_PARTICIPANT
    return describe_refusal(error)[""]
