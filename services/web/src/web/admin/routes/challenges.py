"""Challenges: all of them, and creating, editing, cloning, closing and deleting one."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from fastapi import APIRouter
from starlette.responses import Response

from shared.contracts.leaderboard_admin_api import (
    ChallengeEdit,
    ChallengeRules,
    ChallengeState,
    CloneRequest,
    NewChallenge,
    PreviewRequest,
)
from shared.errors import AppError, Unavailable
from web.admin.dependencies import Form, FormDep, Panel, PanelDep, Slug, read_tried, with_query
from web.admin.messages import CHOOSE, Refusal, refuse, tidy
from web.admin.routes.previews import load_preview, rules_of
from web.admin.rules import forms
from web.admin.rules.sports import in_order
from web.challenges.rules import challenge_phase
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, ContextDep, go_to
from web.http.sentences import check_form

_SETTINGS = (
    *("name", "first_day", "last_day", "time_zone", "visibility", "announcement", "team_size", "edition"),
    *("counts_manual", "counts_trainer", "counts_commute"),
)
COUNTS = ("counts_manual", "counts_trainer", "counts_commute")
_NEW_FIELDS: Mapping[str, list[str]] = {
    "visibility": ["hidden"],
    "team_size": ["5"],
    "counts_manual": ["yes"],
    "counts_commute": ["yes"],
}

router = APIRouter(prefix="/admin", dependencies=[LIMIT_FORMS])


@cache
def _time_zones() -> list[str]:
    return [*sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")), "UTC"]


@router.api_route("/challenges", methods=PAGE_METHODS)
async def list_challenges(panel: PanelDep, context: ContextDep) -> Response:
    """All challenges, with their boards and how they are."""
    challenges = await panel.api.list_challenges()
    phases = {one.slug: find_phase(one, context.clock()) for one in challenges}
    return panel.show("challenges", {"section": "challenges", "challenges": challenges, "phases": phases})


@router.api_route("/new-challenge", methods=PAGE_METHODS)
async def new_challenge(panel: PanelDep) -> Response:
    """The form for a new challenge."""
    return _show_form(panel, None, {**_NEW_FIELDS, "time_zone": [panel.zone]})


@router.post("/new-challenge")
async def create_challenge(panel: PanelDep, form: FormDep) -> Response:
    """Create a challenge; its boards are added on its page."""
    slug = form.get("slug") or forms.suggest_slug(form.get("name"))
    new, problems = check_form(NewChallenge, {**forms.read_settings(form.fields), "slug": slug})
    if problems:
        return _show_form(panel, None, form.fields, Refusal(tidy(problems)))
    try:
        created = await panel.api.create_challenge(new)
    except AppError as error:
        return _show_form(panel, None, form.fields, refuse(error))
    return panel.changed(f"/admin/challenges/{created.slug}", "challenge-created")


@router.api_route("/challenges/{slug}", methods=PAGE_METHODS)
async def show_challenge(panel: PanelDep, context: ContextDep, slug: Slug) -> Response:
    """One challenge: what it is, its boards and milestones, and what can be done with it."""
    challenge = await panel.api.get_challenge(slug)
    building = challenge.next_rules is not None or any(board.is_building for board in challenge.boards)
    phase = find_phase(challenge, context.clock())
    return panel.show("challenge", {**_page(challenge), "phase": phase, "building": building, "in_order": in_order})


@router.api_route("/challenges/{slug}/edit", methods=PAGE_METHODS)
async def edit_form(panel: PanelDep, slug: Slug) -> Response:
    """The form with what the challenge is, or will be as soon as that is built."""
    challenge = await panel.api.get_challenge(slug)
    tried, query = read_tried(panel)
    board = next((one for one in challenge.boards if one.slug == forms.first(tried, "preview")), None)
    if board is None:
        return _show_form(panel, challenge, show_settings(challenge))
    preview = await load_preview(panel, challenge, board, rules_of(board))
    return _show_form(panel, challenge, tried, preview=preview, query=query)


@router.post("/challenges/{slug}/edit")
async def edit_challenge(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Change a challenge, unless somebody else has since the form was sent."""
    values = {**forms.read_settings(form.fields), "edition": form.get("edition")}
    edit, problems = check_form(ChallengeEdit, values)
    if problems:
        return await _show_edit_again(panel, slug, form, Refusal(tidy(problems)))
    if form.get("do") == "preview":
        return await _begin_preview(panel, form, slug, edit)
    try:
        await panel.api.edit_challenge(slug, edit)
    except AppError as error:
        return await _show_edit_again(panel, slug, form, refuse(error))
    return panel.changed(f"/admin/challenges/{slug}", "challenge-saved")


@router.api_route("/challenges/{slug}/clone", methods=PAGE_METHODS)
async def clone_form(panel: PanelDep, slug: Slug) -> Response:
    """The form for a copy with other days."""
    return panel.show("clone", _page(await panel.api.get_challenge(slug)))


@router.post("/challenges/{slug}/clone")
async def clone_challenge(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Create a hidden challenge with the same boards."""
    names = ("name", "first_day", "last_day")
    values = {name: form.get(name) for name in names}
    clone, problems = check_form(
        CloneRequest, {**values, "slug": form.get("slug") or forms.suggest_slug(form.get("name"))}
    )
    if problems:
        return await _show_again(panel, "clone", slug, form, Refusal(tidy(problems)))
    try:
        created = await panel.api.clone_challenge(slug, clone)
    except AppError as error:
        return await _show_again(panel, "clone", slug, form, refuse(error))
    return panel.changed(f"/admin/challenges/{created.slug}", "challenge-cloned")


@router.api_route("/challenges/{slug}/close", methods=PAGE_METHODS)
async def close_form(panel: PanelDep, slug: Slug) -> Response:
    """What closing means, before it is done."""
    return panel.show("close", _page(await panel.api.get_challenge(slug)))


@router.post("/challenges/{slug}/close")
async def close_challenge(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Freeze the results."""
    try:
        await panel.api.close_challenge(slug)
    except AppError as error:
        return await _show_again(panel, "close", slug, form, refuse(error))
    return panel.changed(f"/admin/challenges/{slug}/results", "challenge-closed")


@router.api_route("/challenges/{slug}/delete", methods=PAGE_METHODS)
async def delete_form(panel: PanelDep, slug: Slug) -> Response:
    """What deleting means, before it is done."""
    return panel.show("delete_challenge", _page(await panel.api.get_challenge(slug)))


@router.post("/challenges/{slug}/delete")
async def delete_challenge(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Delete a challenge with its boards, milestones and teams."""
    try:
        await panel.api.delete_challenge(slug)
    except AppError as error:
        return await _show_again(panel, "delete_challenge", slug, form, refuse(error))
    return panel.changed("/admin/challenges", "challenge-deleted")


@router.api_route("/challenges/{slug}/results", methods=PAGE_METHODS)
async def results(panel: PanelDep, slug: Slug) -> Response:
    """The frozen results, their digest, and whether they are still those."""
    challenge = await panel.api.get_challenge(slug)
    return panel.show("results", {**_page(challenge), "results": await panel.api.get_results(slug)})


async def _begin_preview(panel: Panel, form: Form, slug: str, edit: ChallengeEdit) -> Response:
    """Have a board computed by other days, or by what else counts."""
    try:
        challenge = await panel.api.get_challenge(slug)
        board = next((one for one in challenge.boards if one.slug == form.get("preview")), None)
        rules = rules_of(board) if board else None
        if board is None or rules is None:
            return await _show_edit_again(panel, slug, form, Refusal({"preview": CHOOSE}))
        tried = {"challenge": edit.model_dump(include=set(ChallengeRules.model_fields))}
        await panel.api.begin_preview(slug, board.slug, PreviewRequest.model_validate(rules.model_dump() | tried))
    except AppError as error:
        return await _show_edit_again(panel, slug, form, refuse(error))
    fields = forms.keep_known(form.fields, (*_SETTINGS, "preview"))
    return go_to(with_query(f"/admin/challenges/{slug}/edit", fields) + "#preview")


def find_phase(challenge: ChallengeState, now: datetime) -> str:
    """Before, during, after, or closed."""
    if challenge.closed_at:
        return "closed"
    return challenge_phase(challenge.first_day, challenge.last_day, challenge.time_zone, now).name


def show_settings(challenge: ChallengeState) -> dict[str, list[str]]:
    """A challenge's settings as the fields of the form."""
    rules = challenge.next_rules or challenge
    return {
        **{name: [str(getattr(challenge, name))] for name in ("name", "time_zone", "announcement", "team_size")},
        "visibility": [challenge.visibility.value],
        "first_day": [rules.first_day.isoformat()],
        "last_day": [rules.last_day.isoformat()],
        **{name: ["yes"] if getattr(rules, name) else [""] for name in COUNTS},
        "edition": [str(challenge.edition)],
    }


async def find_challenge(panel: Panel, slug: str) -> ChallengeState | None:
    """A challenge to show beside a form; None while leaderboard is away."""
    try:
        return await panel.api.get_challenge(slug)
    except Unavailable:
        return None


def _page(challenge: ChallengeState) -> dict[str, Any]:
    return {"section": "challenges", "challenge": challenge, "slug": challenge.slug}


def _show_form(
    panel: Panel,
    challenge: ChallengeState | None,
    fields: Mapping[str, list[str]],
    refusal: Refusal | None = None,
    **more: Any,
) -> Response:
    page = {"section": "challenges", "challenge": challenge, "fields": fields}
    action = f"/admin/challenges/{challenge.slug}/edit" if challenge else "/admin/new-challenge"
    boards = [(one.slug, one.name) for one in challenge.boards if rules_of(one)] if challenge else []
    common: dict[str, Any] = {"time_zones": _time_zones(), "newer": {}, "action": action, "board_choices": boards}
    common |= {"preview": None, "query": ""}
    return panel.show("challenge_form", {**page, **common, **more}, refusal)


async def _show_again(panel: Panel, template: str, slug: str, form: Form, refusal: Refusal) -> Response:
    """The form with its input; while leaderboard is away, without what it says of the challenge."""
    challenge = await find_challenge(panel, slug)
    page = {"section": "challenges", "challenge": challenge, "slug": slug, "fields": form.fields}
    return panel.show(template, page, refusal)


async def _show_edit_again(panel: Panel, slug: str, form: Form, refusal: Refusal) -> Response:
    """The form with its input; after somebody else's change with what there is now, which saving again replaces."""
    challenge = await find_challenge(panel, slug)
    if challenge is None:
        return _show_form(panel, None, form.fields, refusal, action=f"/admin/challenges/{slug}/edit")
    fields, newer = dict(form.fields), {}
    if refusal.is_conflict and form.get("edition") != str(challenge.edition):
        now = {name: values[0] for name, values in show_settings(challenge).items()}
        newer = {name: now[name] for name in forms.find_differences(now, form.fields) if name != "edition"}
        fields["edition"] = [str(challenge.edition)]
    return _show_form(panel, challenge, fields, refusal, newer=newer)
