"""Activities: finding them, and deciding that one counts nowhere."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.contracts.leaderboard_api import ActivitySearch, ExclusionReason, FoundActivities
from shared.contracts.organisers_api import ParticipantInfo
from shared.errors import AppError, NotFound, Unavailable
from web.admin.dependencies import FormDep, Panel, PanelDep, read_query, with_query
from web.admin.messages import NOBODY, SEVERAL, Problems, Refusal, refuse, tidy
from web.admin.routes.participants import find_people
from web.admin.rules import forms
from web.admin.rules.sports import GROUPS
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, go_to
from web.http.sentences import check_form

MAX_ID = 2**63 - 1
PAGE = 50
_FILTER = ("person", "user_id", "sport_type", "first_day", "last_day", "suspicious", "after")

StravaId = Annotated[int, Path(ge=1, le=MAX_ID)]

router = APIRouter(prefix="/admin/activities", dependencies=[LIMIT_FORMS])


@router.api_route("", methods=PAGE_METHODS)
async def search(panel: PanelDep) -> Response:
    """Activities of everybody or of one participant."""
    return await _show(panel, read_query(panel.request.scope["query_string"].decode("ascii", "ignore")))


@router.post("/{strava_id}/exclude")
async def exclude(panel: PanelDep, form: FormDep, strava_id: StravaId) -> Response:
    """Let an activity count nowhere, for a reason that its owner reads."""
    query = read_query(form.get("back"))
    wanted, problems = check_form(ExclusionReason, {"reason": " ".join(form.get("reason").split())})
    refusal = Refusal(tidy(problems))
    if not problems:
        try:
            await panel.api.exclude_activity(strava_id, wanted.reason)
            return _go_back(query, strava_id, "activity-excluded")
        except AppError as error:
            refusal = refuse(error)
    return await _show(panel, query, refusal, strava_id=strava_id, reason=form.get("reason"))


@router.post("/{strava_id}/include")
async def include(panel: PanelDep, form: FormDep, strava_id: StravaId) -> Response:
    """Let it count again."""
    query = read_query(form.get("back"))
    try:
        await panel.api.include_activity(strava_id)
    except AppError as error:
        return await _show(panel, query, refuse(error), strava_id=strava_id)
    return _go_back(query, strava_id, "activity-included")


def _go_back(query: Mapping[str, list[str]], strava_id: int, said: str) -> Response:
    """To the list, where the focus is on what can be done with this activity now: what was used is gone."""
    pairs = [*forms.keep_known(query, _FILTER), ("changed", str(strava_id))]
    return go_to(with_query("/admin/activities", pairs), said)


async def find_search(
    panel: Panel, query: Mapping[str, list[str]]
) -> tuple[ActivitySearch, Problems, tuple[ParticipantInfo, ...]]:
    """What is looked for, what is wrong with it, and of whom to choose if several people may be meant."""
    values: dict[str, Any] = dict(forms.keep_known({name: [forms.first(query, name)] for name in query}, _FILTER))
    person = values.pop("person", "")
    people: tuple[ParticipantInfo, ...] = ()
    problems: Problems = {}
    if person and "user_id" not in values:
        people = await find_people(panel, person)
        if len(people) == 1:
            values["user_id"] = people[0].user_id
        else:
            problems["person"] = SEVERAL if people else NOBODY
    wanted, faults = check_form(ActivitySearch, {**values, "limit": PAGE})
    return wanted or ActivitySearch(limit=PAGE), {**tidy(faults), **problems}, people


async def _show(
    panel: Panel,
    query: Mapping[str, list[str]],
    refusal: Refusal | None = None,
    *,
    strava_id: int | None = None,
    reason: str = "",
) -> Response:
    found: FoundActivities | None = None
    person: ParticipantInfo | None = None
    people: tuple[ParticipantInfo, ...] = ()
    problems: Problems = {}
    try:
        wanted, problems, people = await find_search(panel, query)
        if not problems:
            found = await panel.api.search_activities(wanted)
            person = await _find_person(panel, wanted.user_id)
    except Unavailable:
        if refusal is None:
            raise
    if problems and refusal is None:
        refusal = Refusal(problems)
    kept = {name: forms.first(query, name) for name in _FILTER}
    pairs = forms.keep_known(query, _FILTER)
    after = str(found.next_after) if found and found.next_after else ""
    page = {
        "section": "activities",
        "found": found,
        "person": person,
        "people": people if len(people) > 1 else (),
        "groups": GROUPS,
        "query": kept,
        "back": with_query("", pairs).removeprefix("?"),
        "csv": with_query("/admin/exports/activities.csv", [pair for pair in pairs if pair[0] != "after"]),
        "more": with_query("/admin/activities", [*(one for one in pairs if one[0] != "after"), ("after", after)]),
        "has_more": bool(after),
        "choose": with_query("/admin/activities", [one for one in pairs if one[0] not in {"person", "after"}]),
        "strava_id": strava_id,
        "changed": forms.first(query, "changed"),
        "reason": reason,
    }
    return panel.show("activities", page, refusal)


async def _find_person(panel: Panel, user_id: UUID | None) -> ParticipantInfo | None:
    if user_id is None:
        return None
    try:
        return await panel.api.get_participant(user_id)
    except NotFound:
        return None
