"""Metrics of how fetching goes."""

from datetime import datetime
from typing import get_args

from shared.database.engine import Database
from sync import metrics
from sync.budget import queries as budget_queries
from sync.budget.rules import roll
from sync.clock import Clock
from sync.jobs.rules import Kind
from sync.status import queries


async def update_metrics(database: Database, clock: Clock) -> bool:
    """Set the gauges."""
    now = clock()
    async with database.transaction() as session:
        budget = roll(await budget_queries.get_budget(session, now), now)
        jobs = {row.kind: row for row in await queries.count_jobs(session, now)}
        athletes = {row.status: row for row in await queries.count_athletes(session)}
    metrics.CALLS_LEFT.labels("quarter").set(budget.quarter.left)
    metrics.CALLS_LEFT.labels("day").set(budget.day.left)
    metrics.APPLICATION_INACTIVE.set(budget.inactive_since is not None)
    for kind in get_args(Kind):
        row = jobs.get(kind)
        metrics.OPEN_JOBS.labels(kind).set(row.waiting + row.due + row.running if row else 0)
    oldest = min((row.oldest_due_at for row in jobs.values() if row.oldest_due_at), default=None)
    metrics.OLDEST_JOB_AGE.set(_age_s(oldest, now))
    authorized = athletes.get("authorized")
    metrics.OLDEST_LISTING_AGE.set(_age_s(authorized.oldest_listing_at if authorized else None, now))
    paused = athletes.get("needs_reconnect")
    metrics.PAUSED_ATHLETES.set(paused.athletes if paused else 0)
    return False


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since).total_seconds()
