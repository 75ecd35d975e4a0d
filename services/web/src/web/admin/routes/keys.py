"""API keys: made, listed and revoked. The text of a key is shown once, in the answer to the form that makes it."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.contracts.organisers_api import NewApiKey, Scope
from shared.errors import AppError, NotFound, Unavailable
from web.admin.dependencies import FormDep, Panel, PanelDep
from web.admin.messages import Refusal, refuse, tidy
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, go_to
from web.http.sentences import check_form

MAX_ID = 2**63 - 1

KeyId = Annotated[int, Path(ge=1, le=MAX_ID)]

router = APIRouter(prefix="/admin/keys", dependencies=[LIMIT_FORMS])


@router.api_route("", methods=PAGE_METHODS)
async def list_keys(panel: PanelDep) -> Response:
    """All API keys, and the form for a new one."""
    return await _show(panel, {"scopes": [Scope.READ.value]})


@router.post("")
async def create_key(panel: PanelDep, form: FormDep) -> Response:
    """Make a key. Its text is in no address and in no session, so a page that is loaded again does not have it."""
    values = {"name": form.get("name"), "scopes": form.fields.get("scopes") or []}
    wanted, problems = check_form(NewApiKey, values)
    if problems:
        return await _show(panel, form.fields, Refusal(tidy(problems)))
    try:
        created = await panel.api.create_key(wanted)
    except AppError as error:
        return await _show(panel, form.fields, refuse(error))
    response = panel.show("key_created", {"section": "keys", "created": created})
    response.headers["Cache-Control"] = "no-store"
    return response


@router.api_route("/{key_id}/revoke", methods=PAGE_METHODS)
async def revoke_form(panel: PanelDep, key_id: KeyId) -> Response:
    """What revoking means, before it is done."""
    return await _show_revocation(panel, key_id)


@router.post("/{key_id}/revoke")
async def revoke_key(panel: PanelDep, key_id: KeyId) -> Response:
    """Make a key invalid."""
    try:
        await panel.api.revoke_key(key_id)
    except AppError as error:
        return await _show_revocation(panel, key_id, refuse(error))
    return go_to("/admin/keys", "key-revoked")


async def _show(panel: Panel, fields: object, refusal: Refusal | None = None) -> Response:
    try:
        keys = (await panel.api.list_keys()).keys
    except Unavailable:
        if refusal is None:
            raise
        keys = None
    page = {"section": "keys", "keys": keys, "scopes": list(Scope), "fields": fields}
    return panel.show("keys", page, refusal)


async def _show_revocation(panel: Panel, key_id: int, refusal: Refusal | None = None) -> Response:
    try:
        key = next((one for one in (await panel.api.list_keys()).keys if one.id == key_id), None)
    except Unavailable:
        if refusal is None:
            raise
        return panel.show("revoke_key", {"section": "keys", "key": None, "key_id": key_id}, refusal)
    if key is None:
        raise NotFound
    return panel.show("revoke_key", {"section": "keys", "key": key, "key_id": key_id}, refusal)
