"""The first page of the panel: what runs, what is fetched, and who needs attention."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from shared.errors import AppError, Unavailable
from web.admin.dependencies import Panel, PanelDep
from web.admin.messages import Refusal, refuse
from web.admin.routes.challenges import find_phase
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, AppContext, ContextDep, go_to

SHOWN_PEOPLE = 10

router = APIRouter(dependencies=[LIMIT_FORMS])
Found = TypeVar("Found")


@router.api_route("/admin", methods=PAGE_METHODS)
async def overview(panel: PanelDep, context: ContextDep, live: str = "") -> Response:
    """What an organiser wants to know first."""
    return await _show(panel, context, live=live != "0")


@router.post("/admin/sync")
async def sync_everybody(panel: PanelDep, context: ContextDep) -> Response:
    """Have everybody's activities fetched."""
    try:
        await panel.api.request_sync(None)
    except AppError as error:
        return await _show(panel, context, refuse(error))
    return go_to("/admin", "sync-requested")


async def _show(panel: Panel, context: AppContext, refusal: Refusal | None = None, *, live: bool = True) -> Response:
    api = panel.api
    challenges, sync, failing, lost, failures = await asyncio.gather(
        _try(api.list_challenges()),
        _try(api.get_sync_status()),
        _try(api.list_participants(status="failing", limit=SHOWN_PEOPLE)),
        _try(api.list_participants(status="needs_reconnection", limit=SHOWN_PEOPLE)),
        _try(api.list_sync_failures()),
    )
    people = {"failing": failing, "lost": lost, "failures": failures}
    now = context.clock()
    phases = {one.slug: find_phase(one, now) for one in challenges or ()}
    known = {"challenges": challenges, "phases": phases, "sync": sync}
    page = {"section": "overview", **known, **people, "now": now, "live": live}
    return panel.show("overview", page, refusal)


async def _try(call: Awaitable[Found]) -> Found | None:
    """What is asked for; None while it cannot be told, so that the page says so there and shows the rest."""
    try:
        return await call
    except Unavailable:
        return None
