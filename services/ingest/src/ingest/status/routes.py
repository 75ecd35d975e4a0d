"""What the record knows of activities, for operators: on the port that no stranger reaches."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Row

from ingest.dependencies import FOR_OPERATORS, ContextDep
from ingest.recording.queries import FACTS
from ingest.retention import queries as retention_queries
from ingest.retention.use_cases import purge
from ingest.status import queries
from ingest.status.use_cases import replay_rejected
from shared.contracts.ingest_api import (
    ActivityHistory,
    ActivityVersion,
    PurgeReport,
    RecordCounts,
    RejectedActivity,
    RejectedPage,
    ReplayedRejections,
)
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

MAX_ID = 2**63 - 1
MAX_PAGE = 500
VERSIONS = 200

router = APIRouter(dependencies=[FOR_OPERATORS], responses=documented_errors())


@router.get("/counts")
async def get_counts(session: Transaction) -> RecordCounts:
    """How many activities are in which state, why some are rejected, and from when on they are kept."""
    retention = await retention_queries.find_retention(session)
    return RecordCounts(
        **_mapping(await queries.count_activities(session)),
        rejections={row.reason: row.activities for row in await queries.count_rejections(session)},
        kept_from=retention.before if retention else None,
        purged_before=retention.purged_before if retention else None,
    )


@router.get("/activities/{strava_id}", responses=documented_errors(404))
async def get_activity(session: Transaction, strava_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> ActivityHistory:
    """What is known of an activity, and which message caused which of its versions."""
    row = await queries.find_activity(session, strava_id)
    if row is None:
        raise NotFound("No activity of that id was ever fetched, or it is not kept any more.")
    fields = _mapping(row)
    earlier = await queries.list_versions(session, strava_id, VERSIONS)
    versions = [*([row] if row.version is not None else []), *earlier]
    return ActivityHistory(
        strava_id=strava_id,
        user_id=row.user_id,
        state=row.state,
        fetch_seq=row.fetch_seq,
        rejection=row.rejection,
        facts={name: fields[name] for name in [*FACTS, "overlaps_with"]} if row.state == "recorded" else None,
        versions=tuple(map(_to_version, versions)),
    )


def _to_version(row: Row[Any]) -> ActivityVersion:
    event = "removed" if row.state != "recorded" else "revised" if row.changed else "recorded"
    return ActivityVersion.model_validate({**_mapping(row), "event": event})


@router.get("/rejected")
async def list_rejected(
    session: Transaction,
    after: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> RejectedPage:
    """Activities that cannot be recorded, each with its reason and with what Strava said of it."""
    rows = await queries.list_rejected(session, after, limit)
    return RejectedPage(
        rejected=tuple(RejectedActivity.model_validate(_mapping(row)) for row in rows),
        next_after=rows[-1].strava_id if len(rows) == limit else None,
    )


@router.post("/rejected/replay")
async def replay(context: ContextDep) -> ReplayedRejections:
    """Try every rejected activity again: this release may read what an earlier one could not."""
    tried, accepted = await replay_rejected(context)
    return ReplayedRejections(tried=tried, accepted=accepted)


@router.get("/purge")
async def preview_purge(session: Transaction) -> PurgeReport:
    """What is not kept any more and still here."""
    retention = await retention_queries.find_retention(session)
    if retention is None:
        return _to_report(None, {})
    return _to_report(retention.before, await retention_queries.count_expired(session, retention.before))


@router.post("/purge")
async def purge_now(context: ContextDep) -> PurgeReport:
    """Delete what is not kept any more, without waiting for the background task."""
    async with context.database.transaction() as session:
        retention = await retention_queries.find_retention(session)
    return _to_report(retention.before if retention else None, await purge(context.database))


def _to_report(before: object, counts: Mapping[str, int]) -> PurgeReport:
    states = ("recorded", "rejected", "private", "removed")
    return PurgeReport.model_validate({"before": before, **{state: counts.get(state, 0) for state in states}})


def _mapping(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)
