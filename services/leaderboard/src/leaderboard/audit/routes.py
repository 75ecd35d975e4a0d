"""The audit log, for organisers."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from leaderboard.audit import queries
from leaderboard.audit.queries import Filter
from leaderboard.dependencies import ApiContext, ContextDep, Scope, require_scope
from leaderboard.downloads import open_pages, stream_csv, stream_json, to_download
from leaderboard.tables import AuditEntryRow
from shared.contracts.organisers_api import AuditEntry, AuditPage
from shared.http.api import Transaction, documented_errors

MAX_ID = 2**63 - 1
MAX_PAGE = 500
COLUMNS = ("id", "at", "actor", "actor_id", "action", "subject", "details")

router = APIRouter(prefix="/admin", dependencies=[Depends(require_scope(Scope.READ))], responses=documented_errors())


def _get_filter(
    action: Annotated[str | None, Query(max_length=50)] = None,
    subject: Annotated[str | None, Query(max_length=100)] = None,
) -> Filter:
    return Filter(action, subject)


FilterDep = Annotated[Filter, Depends(_get_filter)]


@router.get("/audit-log")
async def list_entries(
    session: Transaction,
    wanted: FilterDep,
    before_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> AuditPage:
    """What was changed and who did it, the latest first; go on with `before_id`, which the page before names."""
    rows = await queries.list_entries(session, wanted, before_id, limit)
    return AuditPage(
        entries=tuple(map(_to_entry, rows)),
        next_before_id=rows[-1].id if len(rows) == limit else None,
    )


@router.get(
    "/audit-log.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download_csv(context: ContextDep, wanted: FilterDep) -> StreamingResponse:
    """All of it as CSV, the latest first. Cells that a spreadsheet would run begin with an apostrophe."""
    pages = await _open_pages(context, wanted)
    return to_download(stream_csv(COLUMNS, pages, _to_cells), "audit-log.csv")


@router.get(
    "/audit-log.json",
    response_class=StreamingResponse,
    responses={200: {"model": tuple[AuditEntry, ...], "description": "Every entry."}},
)
async def download_json(context: ContextDep, wanted: FilterDep) -> StreamingResponse:
    """All of it as one JSON array, the latest first."""
    pages = await _open_pages(context, wanted)
    return to_download(stream_json(pages, lambda row: _to_entry(row).model_dump_json()), "audit-log.json")


async def _open_pages(context: ApiContext, wanted: Filter) -> AsyncIterator[Sequence[AuditEntryRow]]:
    async def load(last: AuditEntryRow | None) -> Sequence[AuditEntryRow]:
        before_id = None if last is None else last.id
        async with context.database.transaction() as session:
            return await queries.list_entries(session, wanted, before_id, MAX_PAGE)

    return await open_pages(load, MAX_PAGE)


def _to_entry(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in COLUMNS})


def _to_cells(row: AuditEntryRow) -> list[object]:
    details = json.dumps(row.details, ensure_ascii=False, sort_keys=True)
    return [row.id, row.at.isoformat(), row.actor, row.actor_id, row.action, row.subject, details]
