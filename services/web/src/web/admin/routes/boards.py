"""Boards and milestones by form, with a preview of what other rules would give."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter
from starlette.responses import Response

from shared.contracts.leaderboard_admin_api import (
    BoardDefinition,
    BoardEdit,
    BoardState,
    ChallengeState,
    PreviewRequest,
)
from shared.errors import AppError, NotFound
from web.admin.dependencies import Form, FormDep, Panel, PanelDep, Slug, read_tried, with_query
from web.admin.messages import Refusal, refuse, tidy
from web.admin.routes.challenges import find_challenge
from web.admin.routes.previews import load_new_preview, load_preview, rules_of
from web.admin.rules import forms
from web.admin.rules.sports import GROUPS
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, go_to
from web.http.sentences import check_form

_RULE_FIELDS = ("kind", "metric", "sport_types", "unit", "daily_cap", "active_day_bonus", "threshold")
_FIELDS = ("name", "slug", "position", "edition", "team_mode", "team_best", *_RULE_FIELDS)

router = APIRouter(prefix="/admin/challenges/{slug}", dependencies=[LIMIT_FORMS])


@router.api_route("/new-board", methods=PAGE_METHODS)
async def new_board(panel: PanelDep, slug: Slug, kind: Literal["board", "milestone"] = "board") -> Response:
    """The form for a new board or milestone, or with rules that are tried, beside what they would give."""
    challenge = await panel.api.get_challenge(slug)
    tried, query = read_tried(panel)
    if "preview" not in tried:
        return _show_form(panel, challenge, None, {**forms.show_rules({}, kind), "team_mode": ["sum"]})
    preview = await load_new_preview(panel, slug, _to_id(forms.first(tried, "preview")), _read_rules(tried))
    return _show_form(panel, challenge, None, tried, preview=preview, query=query)


@router.post("/new-board")
async def add_board(panel: PanelDep, form: FormDep, slug: Slug) -> Response:
    """Add a board, which is shown as soon as it is computed, or try what its rules would give."""
    if form.get("do") == "preview":
        return await _begin_new_preview(panel, form, slug)
    values = {
        **forms.read_rules(form.fields),
        **forms.read_team_rules(form.fields),
        "name": form.get("name"),
        "slug": form.get("slug") or forms.suggest_slug(form.get("name")),
    }
    board, problems = check_form(BoardDefinition, values)
    refusal = Refusal(tidy(problems))
    if not problems:
        try:
            await panel.api.add_board(slug, board)
            return panel.changed(f"/admin/challenges/{slug}", "board-saved")
        except AppError as error:
            refusal = refuse(error)
    return _show_form(panel, await find_challenge(panel, slug), None, form.fields, refusal, slug=slug)


@router.api_route("/boards/{board}", methods=PAGE_METHODS)
async def board_form(panel: PanelDep, slug: Slug, board: Slug) -> Response:
    """The form with the board as it is or will be, or with rules that are tried, beside what they would give."""
    challenge = await panel.api.get_challenge(slug)
    found = _find_board(challenge, board)
    tried, query = read_tried(panel)
    if "preview" not in tried:
        return _show_form(panel, challenge, found, show_board(challenge, found))
    preview = await load_preview(panel, challenge, found, _read_rules(tried))
    return _show_form(panel, challenge, found, tried, preview=preview, query=query)


@router.post("/boards/{board}")
async def edit_board(panel: PanelDep, form: FormDep, slug: Slug, board: Slug) -> Response:
    """Change a board, or try what its rules would give."""
    if form.get("do") == "preview":
        return await _begin_preview(panel, form, slug, board)
    values = {
        **forms.read_rules(form.fields),
        **forms.read_team_rules(form.fields),
        **{name: form.get(name) for name in ("name", "position", "edition")},
    }
    edit, problems = check_form(BoardEdit, values)
    if problems:
        return await _show_edit_again(panel, slug, board, form, Refusal(tidy(problems)))
    try:
        await panel.api.edit_board(slug, board, edit)
    except AppError as error:
        return await _show_edit_again(panel, slug, board, form, refuse(error))
    return panel.changed(f"/admin/challenges/{slug}", "board-saved")


@router.api_route("/boards/{board}/delete", methods=PAGE_METHODS)
async def delete_form(panel: PanelDep, slug: Slug, board: Slug) -> Response:
    """What deleting means, before it is done."""
    return await _show_delete(panel, slug, board)


@router.post("/boards/{board}/delete")
async def delete_board(panel: PanelDep, slug: Slug, board: Slug) -> Response:
    """Delete a board or a milestone."""
    try:
        await panel.api.delete_board(slug, board)
    except AppError as error:
        return await _show_delete(panel, slug, board, refuse(error))
    return panel.changed(f"/admin/challenges/{slug}", "board-deleted")


async def _begin_preview(panel: Panel, form: Form, slug: str, board: str) -> Response:
    rules, problems = check_form(PreviewRequest, forms.read_rules(form.fields))
    if problems:
        return await _show_edit_again(panel, slug, board, form, Refusal(tidy(problems)))
    try:
        await panel.api.begin_preview(slug, board, rules)
    except AppError as error:
        return await _show_edit_again(panel, slug, board, form, refuse(error))
    return _go_to_preview(f"/admin/challenges/{slug}/boards/{board}", form, rules, "1")


async def _begin_new_preview(panel: Panel, form: Form, slug: str) -> Response:
    rules, problems = check_form(PreviewRequest, forms.read_rules(form.fields))
    refusal = Refusal(tidy(problems))
    if not problems:
        try:
            begun = await panel.api.begin_new_preview(slug, rules)
            return _go_to_preview(f"/admin/challenges/{slug}/new-board", form, rules, str(begun.id))
        except AppError as error:
            refusal = refuse(error)
    return _show_form(panel, await find_challenge(panel, slug), None, form.fields, refusal, slug=slug)


def _go_to_preview(path: str, form: Form, rules: PreviewRequest, preview: str) -> Response:
    """The form with its input, which is in the address, and with the preview."""
    points = [f"per_unit.{sport}" for sport in rules.sport_types] if rules.points else []
    tried = forms.keep_known(form.fields, (*_FIELDS, *points))
    return go_to(with_query(path, [*tried, ("preview", preview)]) + "#preview")


def _read_rules(tried: dict[str, list[str]]) -> PreviewRequest | None:
    rules: PreviewRequest | None
    rules, _ = check_form(PreviewRequest, forms.read_rules(tried))
    return rules


def _to_id(text: str) -> int:
    """A preview's id; 0, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def show_board(challenge: ChallengeState, board: BoardState) -> dict[str, list[str]]:
    """A board as the fields of the form: by the rules that it will have."""
    found = rules_of(board)
    rules = found.model_dump() if found else {"threshold": board.threshold}
    is_milestone = rules["threshold"] is not None
    return {
        **forms.show_rules(rules, "milestone" if is_milestone else "board"),
        "name": [board.name],
        "position": [str(board.position)],
        "team_mode": [board.team_mode.value],
        "team_best": [forms.to_text(board.team_best)],
        "edition": [str(challenge.edition)],
    }


def _find_board(challenge: ChallengeState, slug: str) -> BoardState:
    found = next((board for board in challenge.boards if board.slug == slug), None)
    if found is None:
        raise NotFound
    return found


def _show_form(
    panel: Panel,
    challenge: ChallengeState | None,
    board: BoardState | None,
    fields: Mapping[str, list[str]],
    refusal: Refusal | None = None,
    **more: Any,
) -> Response:
    page = {"section": "challenges", "challenge": challenge, "board": board, "groups": GROUPS, "fields": fields}
    slugs = {"slug": challenge.slug if challenge else "", "board_slug": board.slug if board else ""}
    return panel.show("board_form", {**page, **slugs, "newer": {}, "preview": None, "query": "", **more}, refusal)


async def _show_edit_again(panel: Panel, slug: str, board: str, form: Form, refusal: Refusal) -> Response:
    challenge = await find_challenge(panel, slug)
    if challenge is None:
        return _show_form(panel, None, None, form.fields, refusal, slug=slug, board_slug=board)
    found = _find_board(challenge, board)
    fields, newer = dict(form.fields), {}
    if refusal.is_conflict and form.get("edition") != str(challenge.edition):
        now = {name: ", ".join(values) for name, values in show_board(challenge, found).items()}
        entered = {name: [", ".join(values)] for name, values in form.fields.items()}
        newer = {name: now[name] for name in forms.find_differences(now, entered) if name not in {"edition", "kind"}}
        fields["edition"] = [str(challenge.edition)]
    return _show_form(panel, challenge, found, fields, refusal, newer=newer)


async def _show_delete(panel: Panel, slug: str, board: str, refusal: Refusal | None = None) -> Response:
    challenge = await find_challenge(panel, slug)
    page = {"section": "challenges", "challenge": challenge, "slug": slug, "board_slug": board}
    return panel.show(
        "delete_board", {**page, "board": _find_board(challenge, board) if challenge else None}, refusal
    )
