"""What is kept and for how long, files of it, and who did what."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.contracts.organisers_api import AuditEntry
from shared.errors import Invalid, NotFound
from web.admin.dependencies import Panel, PanelDep, Slug, read_query, with_query
from web.admin.routes.activities import find_search
from web.http.dependencies import PAGE_METHODS

MAX_ID = 2**63 - 1
PAGE = 50
_TYPES = {"csv": "text/csv", "json": "application/json"}

Kind = Literal["csv", "json"]

router = APIRouter(prefix="/admin")


@router.api_route("/data", methods=PAGE_METHODS)
async def data(panel: PanelDep) -> Response:
    """What is deleted when, and the files."""
    challenges, retention = await asyncio.gather(panel.api.list_challenges(), panel.api.get_retention())
    return panel.show("data", {"section": "data", "challenges": challenges, "retention": retention})


@router.get("/exports/boards/{slug}/{board}.{kind}")
async def board_file(panel: PanelDep, slug: Slug, board: Slug, kind: Kind) -> Response:
    """All rows of a board."""
    path = f"/challenges/{slug}/boards/{board}" + (".csv" if kind == "csv" else "")
    return await panel.download(path, f"{slug}-{board}.{kind}", _TYPES[kind])


@router.get("/exports/results/{slug}.json")
async def results_json(panel: PanelDep, slug: Slug) -> Response:
    """The frozen results of a challenge with their digest."""
    return await panel.download(f"/challenges/{slug}/results", f"{slug}-results.json", _TYPES["json"])


@router.get("/exports/activities.{kind}")
async def activities_file(panel: PanelDep, kind: Kind) -> Response:
    """All activities that a search finds."""
    query = read_query(panel.request.scope["query_string"].decode("ascii", "ignore"))
    search, problems, _ = await find_search(panel, query)
    if problems:
        raise Invalid
    wanted = search.model_dump(exclude={"limit", "after"})
    return await panel.download(f"/admin/activities.{kind}", f"activities.{kind}", _TYPES[kind], **wanted)


@router.get("/exports/audit-log.{kind}")
async def audit_file(
    panel: PanelDep,
    kind: Kind,
    action: Annotated[str, Query(max_length=50)] = "",
    subject: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The audit log, as filtered."""
    query = {"action": action or None, "subject": subject or None}
    return await panel.download(f"/admin/audit-log.{kind}", f"audit-log.{kind}", _TYPES[kind], **query)


@router.api_route("/log", methods=PAGE_METHODS)
async def audit_log(
    panel: PanelDep,
    action: Annotated[str, Query(max_length=50)] = "",
    subject: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
) -> Response:
    """What was changed and who did it, the latest first."""
    found = await panel.api.list_audit_log(action or None, subject.strip() or None, before, PAGE)
    pairs = [(name, value) for name, value in (("action", action), ("subject", subject.strip())) if value]
    page = {
        "section": "log",
        "entries": found.entries,
        "names": await _load_names(panel, found.entries),
        "action": action,
        "subject": subject,
        "before": before,
        "more": with_query("/admin/log", [*pairs, ("before", str(found.next_before_id))]),
        "has_more": found.next_before_id is not None,
        "csv": with_query("/admin/exports/audit-log.csv", pairs),
        "json": with_query("/admin/exports/audit-log.json", pairs),
    }
    return panel.show("log", page)


async def _load_names(panel: Panel, entries: Iterable[AuditEntry]) -> dict[str, str]:
    """The names of those who did something or to whom it was done, as far as they take part, by user id."""
    named = [each for entry in entries for each in (entry.actor_id, _to_uuid(entry.subject))]
    ids = sorted({user_id for user_id in named if user_id})
    found = await asyncio.gather(*(_find_name(panel, user_id) for user_id in ids))
    return {str(user_id): name for user_id, name in zip(ids, found, strict=True) if name}


async def _find_name(panel: Panel, user_id: UUID) -> str:
    try:
        return (await panel.api.get_participant(user_id)).display_name
    except NotFound:
        return ""


def _to_uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
