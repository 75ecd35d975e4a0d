"""What is kept and for how long, files of it, and who did what."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from shared.contracts.leaderboard_api import ActivitySearch
from shared.contracts.organisers_api import AuditEntry
from shared.errors import Invalid, NotFound
from web.admin.dependencies import Panel, PanelDep, Slug, file_headers, read_query, with_query
from web.admin.routes.activities import find_search
from web.http.dependencies import PAGE_METHODS

MAX_ID = 2**63 - 1
PAGE = 50
EXPORT_PAGE = 200  # in memory together
_CSV, _JSON = "text/csv", "application/json"

router = APIRouter(prefix="/admin")


@router.api_route("/data", methods=PAGE_METHODS)
async def data(panel: PanelDep) -> Response:
    """What is deleted when, and the files."""
    challenges, retention = await asyncio.gather(panel.api.list_challenges(), panel.api.get_retention())
    return panel.show("data", {"section": "data", "challenges": challenges, "retention": retention})


@router.get("/exports/boards/{slug}/{board}.csv")
async def board_csv(panel: PanelDep, slug: Slug, board: Slug) -> Response:
    """All rows of a board, for spreadsheets."""
    return await panel.download(f"/challenges/{slug}/boards/{board}.csv", f"{slug}-{board}.csv", _CSV)


@router.get("/exports/boards/{slug}/{board}.json")
async def board_json(panel: PanelDep, slug: Slug, board: Slug) -> Response:
    """The same, for programs."""
    return await panel.download(f"/challenges/{slug}/boards/{board}", f"{slug}-{board}.json", _JSON)


@router.get("/exports/results/{slug}.json")
async def results_json(panel: PanelDep, slug: Slug) -> Response:
    """The frozen results of a challenge with their digest."""
    return await panel.download(f"/challenges/{slug}/results", f"{slug}-results.json", _JSON)


@router.get("/exports/activities.csv")
async def activities_csv(panel: PanelDep) -> Response:
    """All activities that a search finds."""
    query = (await _get_search(panel)).model_dump(exclude={"limit", "after"})
    return await panel.download("/admin/activities.csv", "activities.csv", _CSV, **query)


@router.get("/exports/activities.json")
async def activities_json(panel: PanelDep) -> Response:
    """The same, for programs."""
    search = (await _get_search(panel)).model_copy(update={"limit": EXPORT_PAGE, "after": 0})
    first = await panel.api.search_activities(search)

    async def pages() -> AsyncIterator[Sequence[BaseModel]]:
        page = first
        yield page.activities
        while page.next_after is not None:
            page = await panel.api.search_activities(search.model_copy(update={"after": page.next_after}))
            yield page.activities

    return StreamingResponse(_to_array(pages()), media_type=_JSON, headers=file_headers("activities.json"))


@router.get("/exports/audit-log.csv")
async def audit_csv(
    panel: PanelDep,
    action: Annotated[str, Query(max_length=50)] = "",
    subject: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The audit log, as filtered, for spreadsheets."""
    query = {"action": action or None, "subject": subject or None}
    return await panel.download("/admin/audit-log.csv", "audit-log.csv", _CSV, **query)


@router.get("/exports/audit-log.json")
async def audit_json(
    panel: PanelDep,
    action: Annotated[str, Query(max_length=50)] = "",
    subject: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The same, for programs."""
    first = await panel.api.list_audit_log(action or None, subject or None, None, EXPORT_PAGE)

    async def pages() -> AsyncIterator[Sequence[BaseModel]]:
        page = first
        yield page.entries
        while page.next_before_id is not None:
            page = await panel.api.list_audit_log(action or None, subject or None, page.next_before_id, EXPORT_PAGE)
            yield page.entries

    return StreamingResponse(_to_array(pages()), media_type=_JSON, headers=file_headers("audit-log.json"))


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


async def _get_search(panel: Panel) -> ActivitySearch:
    query = read_query(panel.request.scope["query_string"].decode("ascii", "ignore"))
    wanted, problems, _ = await find_search(panel, query)
    if problems:
        raise Invalid
    return wanted


async def _to_array(pages: AsyncIterator[Sequence[BaseModel]]) -> AsyncIterator[str]:
    yield "["
    separator = "\n"
    async for page in pages:
        for each in page:
            yield separator + each.model_dump_json()
            separator = ",\n"
    yield "\n]\n"
