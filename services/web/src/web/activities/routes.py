"""Own activities: why each counts or does not, choosing that, and having them fetched."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Form, Header, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from shared.contracts.leaderboard_api import (
    ActivityVerdicts,
    ChallengeInfo,
    DayPoints,
    ParticipantStatus,
    VerdictPage,
)
from shared.errors import AppError, Conflict, NotFound, TooManyRequests, Unavailable
from web.account.use_cases import find_status
from web.activities.rules import ShownDay, arrange, fetch_state, group_refusals, name_unit, next_night
from web.challenges.dependencies import ChallengeDep, challenge_context
from web.clients.participants import ParticipantsClient
from web.http.dependencies import (
    LIMIT_FORMS,
    PAGE_METHODS,
    AppContext,
    ContextDep,
    UserDep,
    Visitor,
    VisitorDep,
    go_to,
    render_html,
)
from web.http.ready_answers import PAGE_HEADERS
from web.http.sentences import Sentence, describe_refusal, sentence
from web.live.pages import Live, LivePagesDep, respond
from web.live.rules import make_view

MAX_POLLS = 60  # of one open page for one fetch

Until = Annotated[date | None, Query()]
StravaId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Choice = Annotated[Literal["exclude", "include", "prefer", "leave"], Form()]
FromHtmx = Annotated[Literal["true", ""], Header(alias="HX-Request")]
OwnDay: TypeAlias = ShownDay[ActivityVerdicts, DayPoints]

#: What was chosen -> the name of the sentence that says so.
_SAID = {"exclude": "excluded", "include": "included", "prefer": "preferred", "leave": "left"}
_TOO_MANY = sentence("There are too many activities on one of these days to show them.")
_GONE = sentence("This activity is not on record any more.")

router = APIRouter(prefix="/c/{challenge}/me", dependencies=[LIMIT_FORMS])


@dataclass(frozen=True)
class OwnActivities:
    """Days of a page; `problem` says why there are none where they could not be asked for."""

    days: tuple[OwnDay, ...] = ()
    next_until: date | None = None
    problem: Sentence | None = None
    status: int = 200


@router.api_route("", methods=PAGE_METHODS)
async def activities(
    *,
    request: Request,
    context: ContextDep,
    pages: LivePagesDep,
    visitor: VisitorDep,
    user: UserDep,
    challenge: ChallengeDep,
    until: Until = None,
    live: Live = "",
) -> Response:
    """The latest activities until that day, and how fetching goes."""
    revision = await pages.changes.find_revision(challenge)
    client = ParticipantsClient(context.leaderboard, user.id)
    try:
        own = _arrange(await client.list_verdicts(challenge.slug, until))
    except NotFound:
        own = OwnActivities()
    except (Conflict, Unavailable) as error:
        problem = _TOO_MANY if isinstance(error, Conflict) else describe_refusal(error)[""]
        own = OwnActivities(problem=problem, status=error.status)
    status = None if own.status == Unavailable.status else await find_status(context, user)
    page = {
        **challenge_context(challenge, "me", context.clock()),
        **_page_context(challenge, until),
        **_sync_context(context, status),
        "own": own,
    }
    view = make_view(f"/c/{challenge.slug}/me", live, is_own=True, until=until)
    return respond(request, visitor, "activities/activities.html", view, page, revision, own.status)


@router.post("/activities/{strava_id}")
async def choose(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    challenge: ChallengeDep,
    strava_id: StravaId,
    choice: Choice,
    until: Annotated[date | None, Form()] = None,
    hx_request: FromHtmx = "",
) -> Response:
    """Exclude or include one's activity, or choose it of those that overlap; the page's days that changed."""
    client = ParticipantsClient(context.leaderboard, user.id)
    act = {
        "exclude": client.exclude,
        "include": client.include,
        "prefer": client.prefer,
        "leave": client.prefer_no_more,
    }[choice]
    back = f"/c/{challenge.slug}/me{f'?until={until}' if until else ''}"
    try:
        await act(strava_id)
        if not hx_request:
            response = go_to(back, _SAID[choice])
            response.headers["location"] += f"#a-{strava_id}"
            return response
        own = _arrange(await client.list_verdicts(challenge.slug, until))
    except NotFound:
        return _say_instead(request, visitor, _GONE) if hx_request else go_to(back, "gone")
    except AppError as error:
        if not hx_request:
            return go_to(back, "away")
        return _say_instead(request, visitor, describe_refusal(error)[""])
    return _answer_days(request, visitor, challenge, own, strava_id, until, _SAID[choice])


@router.post("/sync")
async def sync(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    user: UserDep,
    challenge: ChallengeDep,
    hx_request: FromHtmx = "",
) -> Response:
    """Have one's activities fetched now."""
    said = "asked"
    try:
        await ParticipantsClient(context.leaderboard, user.id).request_sync()
    except TooManyRequests:
        said = "too-early"
    except NotFound:
        said = "not-known"
    except AppError:
        said = "away"
    if not hx_request:
        return go_to(f"/c/{challenge.slug}/me", said)
    return await _sync_fragment(request, context, visitor, challenge, said=said)


@router.get("/sync")
async def sync_state(
    *,
    request: Request,
    context: ContextDep,
    visitor: VisitorDep,
    _user: UserDep,
    challenge: ChallengeDep,
    polls: Annotated[int, Query(ge=0, le=MAX_POLLS)] = 0,
    hx_request: FromHtmx = "",
) -> Response:
    """How fetching goes, for an open page that waits for it."""
    if not hx_request:
        return go_to(f"/c/{challenge.slug}/me")
    return await _sync_fragment(request, context, visitor, challenge, polls=polls)


def _arrange(page: VerdictPage) -> OwnActivities:
    return OwnActivities(arrange(page.activities, page.points), page.next_until)


def _page_context(challenge: ChallengeInfo, until: date | None) -> dict[str, Any]:
    return {
        "challenge": challenge,
        "boards": {board.slug: board for board in challenge.boards},
        "until": until,
        "group_refusals": group_refusals,
        "name_unit": name_unit,
    }


def _answer_days(  # noqa: PLR0917 - the request and what it is about
    request: Request,
    visitor: Visitor,
    challenge: ChallengeInfo,
    own: OwnActivities,
    strava_id: int,
    until: date | None,
    said: str,
) -> Response:
    """The day of an activity, and those on which it overlaps another."""
    shown = next((day for day in own.days if day.has(strava_id)), None)
    if shown is None:
        return _say_instead(request, visitor, _GONE)
    others = [day for day in own.days if day is not shown and day.touches(shown, strava_id)]
    page = {**_page_context(challenge, until), "shown": shown, "others": others, "said": said}
    return _fragment(request, visitor, "activities/changed.html", page)


def _say_instead(request: Request, visitor: Visitor, problem: Sentence) -> Response:
    response = _fragment(request, visitor, "activities/problem.html", {"problem": problem})
    response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#said", "innerHTML"
    return response


async def _sync_fragment(
    request: Request,
    context: AppContext,
    visitor: Visitor,
    challenge: ChallengeInfo,
    *,
    said: str = "",
    polls: int = 0,
) -> Response:
    status = await find_status(context, visitor.user) if visitor.user else None
    page = {"challenge": challenge, **_sync_context(context, status, polls=polls), "said": said}
    return _fragment(request, visitor, "activities/sync.html", page)


def _sync_context(context: AppContext, status: ParticipantStatus | None, *, polls: int = 0) -> dict[str, Any]:
    now = context.clock()
    return {
        "sync": status,
        "fetching": fetch_state(status.sync_requested_at, status.last_attempt_at, now) if status else "idle",
        "next_night": next_night(now, context.nightly_time_zone),
        "polls": polls,
        "may_poll": polls < MAX_POLLS,
    }


def _fragment(request: Request, visitor: Visitor, template: str, page: dict[str, Any]) -> HTMLResponse:
    return HTMLResponse(render_html(request, visitor, template, page), headers=PAGE_HEADERS)
