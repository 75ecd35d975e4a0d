"""Participants: finding, hiding, fetching and removing them, and putting them into teams."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.contracts.leaderboard_admin_api import ChallengeState
from shared.contracts.leaderboard_api import ProfileTeam
from shared.contracts.organisers_api import ParticipantInfo
from shared.contracts.teams_api import MAX_ROW_ID, TeamInfo
from shared.errors import AppError, NotFound, Unavailable
from web.admin.dependencies import FormDep, Panel, PanelDep, read_query, with_query
from web.admin.messages import CHOOSE, Refusal, refuse
from web.admin.rules import forms
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, go_to

PAGE = 50
TEAMS_PAGE = 200  # leaderboard's largest
MAX_TEAMS = 1_000  # that can be chosen in a list
MAX_CHALLENGES = 5  # whose teams are shown with a participant
_FILTER = ("search", "status", "after")

Status = Literal["", "ok", "failing", "needs_reconnection", "hidden"]

router = APIRouter(prefix="/admin/participants", dependencies=[LIMIT_FORMS])


@dataclass(frozen=True)
class Membership:
    """A challenge that is not closed, its teams, and the one in which somebody is."""

    challenge: ChallengeState
    team: ProfileTeam | None
    teams: tuple[TeamInfo, ...]


@router.api_route("", methods=PAGE_METHODS)
async def list_participants(
    panel: PanelDep,
    search: Annotated[str, Query(max_length=50)] = "",
    status: Status = "",
    after: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Participants by name, with how fetching goes for them."""
    return await _show_list(panel, {"search": [search], "status": [status], "after": [after]})


@router.post("/{user_id}/hide")
async def hide(panel: PanelDep, form: FormDep, user_id: UUID) -> Response:
    """Take somebody off all boards."""
    return await _change(panel, form.get("back"), panel.api.set_hidden(user_id, hidden=True), "participant-hidden")


@router.post("/{user_id}/show")
async def show(panel: PanelDep, form: FormDep, user_id: UUID) -> Response:
    """Put somebody on the boards again."""
    return await _change(panel, form.get("back"), panel.api.set_hidden(user_id, hidden=False), "participant-shown")


@router.post("/{user_id}/sync")
async def sync(panel: PanelDep, form: FormDep, user_id: UUID) -> Response:
    """Have somebody's activities fetched."""
    return await _change(panel, form.get("back"), panel.api.request_sync(user_id), "sync-requested")


@router.api_route("/{user_id}", methods=PAGE_METHODS)
async def show_participant(panel: PanelDep, user_id: UUID) -> Response:
    """One participant, and what can be done about them."""
    return await _show_one(panel, user_id)


@router.post("/{user_id}/team")
async def assign(panel: PanelDep, form: FormDep, user_id: UUID) -> Response:
    """Put somebody into a team of a challenge, or into none."""
    chosen, challenge = form.get("team_id"), form.get("challenge")
    if not _is_slug(challenge) or not (chosen == "none" or _is_id(chosen)):
        return await _show_one(panel, user_id, Refusal({"team_id": CHOOSE}))
    try:
        await panel.api.assign(challenge, user_id, None if chosen == "none" else int(chosen))
    except AppError as error:
        return await _show_one(panel, user_id, refuse(error))
    return panel.changed(f"/admin/participants/{user_id}", "team-assigned")


@router.api_route("/{user_id}/remove", methods=PAGE_METHODS)
async def remove_form(panel: PanelDep, user_id: UUID) -> Response:
    """What removing means, before it is done."""
    return await _show_removal(panel, user_id)


@router.post("/{user_id}/remove")
async def remove(panel: PanelDep, user_id: UUID) -> Response:
    """Have everything about somebody deleted."""
    try:
        await panel.api.remove_participant(user_id)
    except AppError as error:
        return await _show_removal(panel, user_id, refuse(error))
    return go_to("/admin/participants", "participant-removed")


async def find_people(panel: Panel, search: str) -> tuple[ParticipantInfo, ...]:
    """Those whose name has this text: one is who is meant, of more somebody is chosen."""
    found = (await panel.api.list_participants(search=search[:50], limit=11)).participants
    exact = tuple(one for one in found if one.display_name.casefold() == search.strip().casefold())
    return exact if len(exact) == 1 else found


async def list_teams(panel: Panel, slug: str) -> tuple[TeamInfo, ...]:
    """The teams of a challenge, as many as a list can show."""
    teams: list[TeamInfo] = []
    while len(teams) < MAX_TEAMS:
        page = await panel.api.list_teams(slug, TEAMS_PAGE, len(teams))
        teams += page.teams
        if len(page.teams) < TEAMS_PAGE:
            break
    return tuple(teams)


async def _change(panel: Panel, back: str, call: Any, said: str) -> Response:
    """Do it and go back to the list, or to the page of that participant, with what is wrong if it fails."""
    query = {name: values for name, values in read_query(back).items() if name in _FILTER}
    user_id = panel.request.path_params["user_id"]
    try:
        await call
    except AppError as error:
        return await (
            _show_one(panel, UUID(user_id), refuse(error))
            if back == "one"
            else _show_list(panel, query, refuse(error))
        )
    if back == "one":
        return panel.changed(f"/admin/participants/{user_id}", said)
    return panel.changed(with_query("/admin/participants", forms.keep_known(query, _FILTER)), said)


async def _show_list(panel: Panel, query: Mapping[str, list[str]], refusal: Refusal | None = None) -> Response:
    search, status, after = (forms.first(query, name) for name in _FILTER)
    try:
        page = await panel.api.list_participants(search[:50], status or None, after or None, PAGE)
    except Unavailable:
        if refusal is None:
            raise
        page = None
    back = with_query("", forms.keep_known(query, _FILTER)).removeprefix("?")
    shown = {"section": "participants", "page": page, "search": search, "status": status, "after": after}
    more = with_query(
        "/admin/participants", forms.keep_known({**query, "after": [page.next_after or ""]}, _FILTER) if page else []
    )
    return panel.show("participants", {**shown, "back": back, "more": more}, refusal)


async def _show_one(panel: Panel, user_id: UUID, refusal: Refusal | None = None) -> Response:
    try:
        participant = await panel.api.get_participant(user_id)
        memberships = [
            await _load_membership(panel, challenge, user_id)
            for challenge in (await panel.api.list_challenges())[-MAX_CHALLENGES:]
            if challenge.closed_at is None
        ]
    except Unavailable:
        if refusal is None:
            raise
        participant, memberships = None, []
    page = {"section": "participants", "participant": participant, "memberships": memberships, "user_id": user_id}
    return panel.show("participant", page, refusal)


async def _load_membership(panel: Panel, challenge: ChallengeState, user_id: UUID) -> Membership:
    try:
        team = (await panel.api.get_profile(challenge.slug, user_id)).team
    except NotFound:
        team = None
    return Membership(challenge, team, await list_teams(panel, challenge.slug))


async def _show_removal(panel: Panel, user_id: UUID, refusal: Refusal | None = None) -> Response:
    try:
        participant = await panel.api.get_participant(user_id)
    except Unavailable:
        if refusal is None:
            raise
        participant = None
    page = {"section": "participants", "participant": participant, "user_id": user_id}
    return panel.show("remove_participant", page, refusal)


def _is_slug(text: str) -> bool:
    return forms.suggest_slug(text) == text != ""


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= MAX_ROW_ID
