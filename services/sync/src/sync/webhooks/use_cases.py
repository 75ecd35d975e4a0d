"""Receiving webhook events, and keeping the subscription that brings them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

import structlog
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import StravaDeauthorizationReported
from shared.database.engine import Database
from shared.errors import Unavailable
from shared.messaging.outbox import emit
from sync import metrics
from sync.clients.subscriptions import SubscriptionRefused, Webhooks
from sync.clock import Clock
from sync.jobs.queries import open_job
from sync.jobs.rules import next_webhook_run_at
from sync.webhooks import queries
from sync.webhooks.rules import interpret

#: Strava tries three times within minutes; what came while nobody listened for longer is lost.
GAP = timedelta(minutes=2)
CHECK_INTERVAL = timedelta(hours=1)
RECHECK_INTERVAL = timedelta(minutes=1)  # after trouble

log = structlog.stdlib.get_logger(__name__)


Receipt: TypeAlias = Literal[
    "stored", "duplicate", "deauthorized", "irrelevant", "unknown_athlete", "other_subscription"
]


class WebhookEvent(BaseModel):
    """The body of an event: what changed, whose it is, and since when (epoch seconds)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    object_type: str = Field(max_length=50)
    object_id: int = Field(gt=0, lt=2**63)
    aspect_type: Literal["create", "update", "delete"]
    owner_id: int = Field(gt=0, lt=2**63)
    subscription_id: int = Field(ge=0, lt=2**63)
    event_time: int = Field(ge=0, le=253_402_300_799)  # the last second that datetime knows
    updates: dict[str, Any] = Field(default={}, max_length=50)


async def receive_event(session: AsyncSession, event: WebhookEvent, now: datetime, freshness: timedelta) -> Receipt:
    """Store what an event asks for, so that it is done whatever happens after the commit."""
    meaning = interpret(event.object_type, event.aspect_type, event.updates)
    if meaning == "nothing":
        return "irrelevant"
    recipient = await queries.find_recipient(session, event.owner_id)
    if recipient is None:
        return "unknown_athlete"
    if recipient.subscription_id not in (None, event.subscription_id):
        return "other_subscription"
    if meaning == "deauthorized":
        told_at = datetime.fromtimestamp(event.event_time, UTC)
        await emit(session, StravaDeauthorizationReported(athlete_id=event.owner_id, event_time=told_at))
        return "deauthorized"
    change = queries.Change(event.owner_id, event.object_id, event.aspect_type, event.event_time)
    if not await queries.add_event(session, change, now):
        return "duplicate"
    due_at = next_webhook_run_at(now, recipient.last_fetched_at, freshness)
    await open_job(session, recipient.user_id, "webhook", due_at, now)
    return "stored"


async def ensure_subscription(database: Database, webhooks: Webhooks, clock: Clock) -> str | None:
    """Check the subscription, and create or replace it where it is not ours; returns the problem that remains."""
    found: int | None = None
    problem: str | None = None
    is_known = True
    try:
        found = await _ensure_remote(webhooks)
    except SubscriptionRefused as error:
        problem = error.message
    except Unavailable as error:
        problem, is_known = error.message, False
    async with database.transaction() as session:
        if not is_known:  # it is as it was
            found = (await queries.find_subscription(session)).id
        await queries.save_subscription(session, found, problem, clock())
    if problem is not None:
        log.error("strava's webhooks cannot be subscribed to", problem=problem)
    metrics.WEBHOOKS_HEALTHY.set(problem is None)
    return problem


async def _ensure_remote(webhooks: Webhooks) -> int:
    found = await webhooks.client.find()
    if found is not None and found.callback_url == webhooks.callback_url:
        return found.id
    if found is not None:
        log.warning("strava's webhooks went to another address, and come here from now on")
        await webhooks.client.delete(found.id)
    return await webhooks.client.create(webhooks.callback_url, webhooks.verify_token)


async def check_if_due(database: Database, webhooks: Webhooks, clock: Clock) -> bool:
    """Check the subscription when that is due, in one process at a time."""
    async with database.transaction() as session:
        if not await queries.lock_subscription(session):
            return False
        known = await queries.find_subscription(session)
        interval = RECHECK_INTERVAL if known.problem else CHECK_INTERVAL
        if known.checked_at is not None and known.checked_at > clock() - interval:
            metrics.WEBHOOKS_HEALTHY.set(known.problem is None)
            return False
        # Saved before the calls, which no transaction spans: others do not check meanwhile.
        await queries.save_subscription(session, known.id, known.problem, clock())
    await ensure_subscription(database, webhooks, clock)
    return False


async def note_listening(database: Database, clock: Clock) -> bool:
    """Store that a receiver runs, and since when after a time in which none did."""
    now = clock()
    async with database.transaction() as session:
        before = await queries.find_listening_at(session)
        missed = before is None or before < now - GAP
        await queries.save_listening(session, now, gap_ended_at=now if missed else None)
    if missed and before is not None:
        log.warning("webhook events may have been missed", since=before.isoformat())
    return False
