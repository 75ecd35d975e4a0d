"""The audit log, for organisers."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from leaderboard.audit import queries
from leaderboard.audit.queries import Filter
from leaderboard.dependencies import ApiContext, ContextDep, Scope, require_scope
from leaderboard.spreadsheets import format_csv
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
        entries=tuple(AuditEntry(**{name: getattr(row, name) for name in COLUMNS}) for row in rows),
        next_before_id=rows[-1].id if len(rows) == limit else None,
    )


@router.get(
    "/audit-log.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download(context: ContextDep, wanted: FilterDep) -> StreamingResponse:
    """All of it as CSV, the latest first. Cells that a spreadsheet would run begin with an apostrophe."""
    first = await _load_page(context, wanted, None)  # before the answer begins, so that it can still be an error
    return StreamingResponse(
        _stream(context, wanted, first),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="audit-log.csv"', "Cache-Control": "no-store"},
    )


async def _load_page(context: ApiContext, wanted: Filter, before_id: int | None) -> Sequence[AuditEntryRow]:
    async with context.database.transaction() as session:
        return await queries.list_entries(session, wanted, before_id, MAX_PAGE)


async def _stream(context: ApiContext, wanted: Filter, page: Sequence[AuditEntryRow]) -> AsyncIterator[str]:
    """Page by page, each in a transaction of its own: none stays open while a reader is slow."""
    yield format_csv([COLUMNS])
    while page:
        yield format_csv(map(_to_cells, page))
        page = await _load_page(context, wanted, page[-1].id) if len(page) == MAX_PAGE else []


def _to_cells(row: AuditEntryRow) -> list[object]:
    details = json.dumps(row.details, ensure_ascii=False, sort_keys=True)
    return [row.id, row.at.isoformat(), row.actor, row.actor_id, row.action, row.subject, details]
