"""How fetching goes, for organisers' panel and operators: on the port that no stranger reaches."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.sync_api import (
    AthletePage,
    AthleteStatus,
    BudgetStatus,
    NightlyRunStatus,
    OpenedJobs,
    QueueStatus,
    SubscriptionCheck,
    SyncError,
    SyncErrors,
    SyncStatus,
    WebhookStatus,
    WindowStatus,
)
from shared.errors import Conflict
from shared.http.api import Transaction, documented_errors
from sync.budget import queries as budget_queries
from sync.budget.rules import Window, WindowName, calls_left_in, roll, window_end
from sync.dependencies import FOR_OPERATORS, ContextDep, Now
from sync.jobs.queries import list_authorized, open_jobs
from sync.jobs.rules import RESERVES
from sync.status import queries
from sync.webhooks.use_cases import ensure_subscription

MAX_PAGE = 500
NIGHTLY_RUNS = 7
ERRORS = 20


router = APIRouter(dependencies=[FOR_OPERATORS], responses=documented_errors())


@router.get("/status")
async def get_status(session: Transaction, now: Now) -> SyncStatus:
    """Athletes, budget, jobs, webhooks and the latest nightly runs."""
    athletes = await queries.count_athletes(session)
    authorized = next((row for row in athletes if row.status == "authorized"), None)
    return SyncStatus(
        athletes={row.status: row.athletes for row in athletes},
        oldest_listing_at=authorized and authorized.oldest_listing_at,
        never_listed=authorized.never_listed if authorized else 0,
        needed_since=await queries.find_needed_since(session),
        budget=await _budget(session, now),
        queues=tuple(
            QueueStatus.model_validate(dict(row._mapping)) for row in await queries.count_jobs(session, now)
        ),
        webhooks=await _webhooks(session),
        nightly_runs=tuple(
            NightlyRunStatus.model_validate(dict(row._mapping))
            for row in await queries.list_nightly_runs(session, NIGHTLY_RUNS)
        ),
    )


async def _budget(session: AsyncSession, now: datetime) -> BudgetStatus:
    budget = roll(await budget_queries.get_budget(session, now), now)
    return BudgetStatus(
        quarter=_window("quarter", budget.quarter, now),
        day=_window("day", budget.day, now),
        inactive_since=budget.inactive_since,
        last_unforeseen_refusal_at=await budget_queries.find_refused_at(session),
    )


def _window(name: WindowName, window: Window, now: datetime) -> WindowStatus:
    return WindowStatus(
        starts_at=window.starts_at,
        ends_at=window_end(name, window),
        limit=window.limit,
        used=max(window.read_used, window.limit - window.left),
        left=window.left,
        left_by_kind={kind: calls_left_in(name, window, reserve, now) for kind, reserve in RESERVES.items()},
    )


async def _webhooks(session: AsyncSession) -> WebhookStatus:
    row = await queries.find_webhooks(session)
    if row is None:
        return WebhookStatus(
            subscribed=False, checked_at=None, problem=None, last_event_at=None, pending_events=0, missed_until=None
        )
    return WebhookStatus.model_validate(dict(row._mapping))


@router.get("/athletes")
async def list_athletes(
    session: Transaction,
    after: UUID | None = None,
    status: Annotated[str | None, Query(max_length=20)] = None,
    failed: bool = False,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> AthletePage:
    """Athletes by user id, of one status or with an error if asked for."""
    rows = await queries.list_athletes(session, after, status, limit, failed=failed)
    return AthletePage(
        athletes=tuple(AthleteStatus.model_validate(dict(row._mapping)) for row in rows),
        next_after=rows[-1].user_id if len(rows) == limit else None,
    )


@router.get("/errors")
async def list_errors(session: Transaction) -> SyncErrors:
    """The last errors of jobs."""
    rows = await queries.list_errors(session, ERRORS)
    return SyncErrors(errors=tuple(SyncError.model_validate(dict(row._mapping)) for row in rows))


@router.post("/syncs")
async def request_syncs(session: Transaction, now: Now, user_id: UUID | None = None) -> OpenedJobs:
    """Fetch one athlete's activities, or everybody's, as soon as there are calls for it."""
    wanted = await list_authorized(session) if user_id is None else [user_id]
    return OpenedJobs(opened=await open_jobs(session, wanted, "manual", now))


@router.post("/subscription", responses=documented_errors(409))
async def check_subscription(context: ContextDep) -> SubscriptionCheck:
    """Check the subscription at Strava, and create or replace it where it is not ours."""
    if context.webhooks is None:
        raise Conflict("WEBHOOK_URL is not set: Strava's webhooks are off, and changes are found at night.")
    problem = await ensure_subscription(context.database, context.webhooks, context.clock)
    return SubscriptionCheck(subscribed=problem is None, problem=problem)
