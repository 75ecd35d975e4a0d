"""Teams of a challenge: renaming and deleting them, putting people into them, dealing people out."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from shared.contracts.teams_api import MAX_ROW_ID, TeamDeal, TeamDraft
from shared.errors import AppError, Unavailable
from web.admin.dependencies import Form, FormDep, Panel, PanelDep, Slug
from web.admin.messages import NOBODY, SEVERAL, Refusal, refuse, tidy
from web.admin.routes.challenges import find_challenge
from web.admin.routes.participants import find_people
from web.admin.rules import forms
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, go_to
from web.http.sentences import check_form, sentence

PAGE = 50
MAX_PAGE = 1_000

TeamId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]

router = APIRouter(prefix="/admin/challenges/{slug}/teams", dependencies=[LIMIT_FORMS])


@router.api_route("", methods=PAGE_METHODS)
async def list_teams(panel: PanelDep, slug: Slug, page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1) -> Response:
    """A challenge's teams by name, and the form to deal people out."""
    return await _show_list(panel, slug, {"how": ["evenly"], "everybody": [""]}, page=page)


@router.post("/deal")
async def deal(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Deal people out; the page says which seed a random order had, so that it can be repeated."""
    label = panel.say(sentence("Team"))
    wish, problems = check_form(TeamDeal, {**_read_deal(form), "label": label})
    if problems:
        return await _show_list(panel, slug, form.fields, Refusal(tidy(problems)))
    try:
        dealt = await panel.api.deal(slug, wish)
    except AppError as error:
        return await _show_list(panel, slug, form.fields, refuse(error))
    seed = "" if dealt.seed is None else f"&seed={dealt.seed}"
    return panel.changed(f"/admin/challenges/{slug}/teams?dealt={len(dealt.teams)}{seed}", "teams-dealt")


@router.api_route("/{team_id}", methods=PAGE_METHODS)
async def show_team(panel: PanelDep, slug: Slug, team_id: TeamId) -> Response:
    """A team: its name and its members."""
    return await _show_team(panel, slug, team_id)


@router.post("/{team_id}")
async def rename_team(panel: PanelDep, form: FormDep, slug: Slug, team_id: TeamId) -> Response:
    """Give a team another name."""
    draft, problems = check_form(TeamDraft, {"name": form.get("name")})
    if problems:
        return await _show_team(panel, slug, team_id, Refusal(tidy(problems)), name=form.get("name"))
    try:
        await panel.api.rename_team(slug, team_id, draft.name)
    except AppError as error:
        return await _show_team(panel, slug, team_id, refuse(error), name=form.get("name"))
    return panel.changed(f"/admin/challenges/{slug}/teams/{team_id}", "team-renamed")


@router.post("/{team_id}/add")
async def add_member(panel: PanelDep, form: FormDep, slug: Slug, team_id: TeamId) -> Response:
    """Put whoever has that name into the team; of several with it, somebody is chosen first."""
    person, chosen = form.get("person"), _to_uuid(form.get("user_id"))
    try:
        if chosen is None:
            people = await find_people(panel, person) if person else ()
            if len(people) != 1:
                refusal = Refusal({"person": SEVERAL if people else NOBODY})
                return await _show_team(panel, slug, team_id, refusal, person=person, people=people)
            chosen = people[0].user_id
        await panel.api.assign(slug, chosen, team_id)
    except AppError as error:
        return await _show_team(panel, slug, team_id, refuse(error), person=person)
    return panel.changed(f"/admin/challenges/{slug}/teams/{team_id}", "team-assigned")


@router.post("/{team_id}/take-out/{user_id}")
async def take_out(panel: PanelDep, slug: Slug, team_id: TeamId, user_id: UUID) -> Response:
    """Take somebody out; a team that nobody is in any more is deleted."""
    try:
        team = await panel.api.get_team(slug, team_id)
        await panel.api.assign(slug, user_id, None)
    except AppError as error:
        return await _show_team(panel, slug, team_id, refuse(error))
    is_empty = {member.user_id for member in team.members} <= {user_id}
    path = f"/admin/challenges/{slug}/teams"
    return panel.changed(path if is_empty else f"{path}/{team_id}", "team-left")


@router.api_route("/{team_id}/delete", methods=PAGE_METHODS)
async def delete_form(panel: PanelDep, slug: Slug, team_id: TeamId) -> Response:
    """What deleting means, before it is done."""
    return await _show_team(panel, slug, team_id, template="delete_team")


@router.post("/{team_id}/delete")
async def delete_team(panel: PanelDep, slug: Slug, team_id: TeamId) -> Response:
    """Delete a team."""
    try:
        await panel.api.delete_team(slug, team_id)
    except AppError as error:
        return await _show_team(panel, slug, team_id, refuse(error), template="delete_team")
    return go_to(f"/admin/challenges/{slug}/teams", "team-deleted")


def _read_deal(form: Form) -> dict[str, Any]:
    names = forms.read_team_names((form.fields.get("names") or [""])[0])
    count = form.get("count")
    wish: dict[str, Any] = {"teams": names or (int(count) if count.isascii() and count.isdigit() else 0)}
    wish |= {"how": form.get("how"), "everybody": form.get("everybody") == "yes"}
    seed = form.get("seed")
    if form.get("how") == "random" and seed:
        wish["seed"] = int(seed) if seed.isascii() and seed.isdigit() else -1
    return wish


def _to_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _show_list(
    panel: Panel, slug: str, fields: Any, refusal: Refusal | None = None, *, page: int = 1
) -> Response:
    challenge = await find_challenge(panel, slug)
    try:
        teams = await panel.api.list_teams(slug, PAGE, (page - 1) * PAGE)
    except Unavailable:
        if refusal is None:
            raise
        teams = None
    dealt = {name: panel.request.query_params.get(name, "")[:20] for name in ("dealt", "seed")}
    shown = {"section": "challenges", "challenge": challenge, "slug": slug, "teams": teams, "page": page}
    pages = max(1, -(-teams.total // PAGE)) if teams else 1
    return panel.show("teams", {**shown, **dealt, "pages": pages, "fields": fields}, refusal)


async def _show_team(
    panel: Panel,
    slug: str,
    team_id: int,
    refusal: Refusal | None = None,
    *,
    template: str = "team",
    name: str | None = None,
    person: str = "",
    people: Any = (),
) -> Response:
    try:
        team = await panel.api.get_team(slug, team_id)
    except Unavailable:
        if refusal is None:
            raise
        team = None
    shown = {"section": "challenges", "challenge": await find_challenge(panel, slug), "slug": slug, "team": team}
    entered = {"name": name if name is not None else team.name if team else "", "person": person, "people": people}
    return panel.show(template, {**shown, **entered, "team_id": team_id}, refusal)
