"""Receiving webhook events, and keeping the subscription that brings them."""

import asyncio
from collections.abc import Mapping, Sequence
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
from sync.webhooks.queries import Change, Recipient
from sync.webhooks.rules import interpret

#: Strava tries three times within minutes; what came while nobody listened for longer is lost.
GAP = timedelta(minutes=2)
#: Events that are stored in one transaction.
MAX_EVENTS = 200
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


async def receive_events(
    session: AsyncSession, events: Sequence[WebhookEvent], now: datetime, freshness: timedelta
) -> list[Receipt]:
    """Store what events ask for, so that it is done whatever happens after the commit; what each was taken for."""
    recipients = await queries.lock_recipients(session, {event.owner_id for event in events})
    subscription_id = await queries.find_subscription_id(session)
    receipts = [_classify(event, recipients, subscription_id) for event in events]
    for event, receipt in zip(events, receipts, strict=True):
        if receipt == "deauthorized":
            told_at = datetime.fromtimestamp(event.event_time, UTC)
            await emit(session, StravaDeauthorizationReported(athlete_id=event.owner_id, event_time=told_at))
    changes = {_to_change(event) for event, receipt in zip(events, receipts, strict=True) if receipt == "stored"}
    added = await queries.add_events(session, changes, now) if changes else set()
    for athlete_id in sorted({change.athlete_id for change in added}):
        recipient = recipients[athlete_id]
        due_at = next_webhook_run_at(now, recipient.last_fetched_at, freshness)
        await open_job(session, recipient.user_id, "webhook", due_at, now)
    is_duplicate = [r == "stored" and _to_change(e) not in added for e, r in zip(events, receipts, strict=True)]
    return ["duplicate" if again else receipt for receipt, again in zip(receipts, is_duplicate, strict=True)]


def _classify(event: WebhookEvent, recipients: Mapping[int, Recipient], subscription_id: int | None) -> Receipt:
    meaning = interpret(event.object_type, event.aspect_type, event.updates)
    if meaning == "nothing":
        return "irrelevant"
    if event.owner_id not in recipients:
        return "unknown_athlete"
    if subscription_id not in (None, event.subscription_id):
        return "other_subscription"
    return "deauthorized" if meaning == "deauthorized" else "stored"


def _to_change(event: WebhookEvent) -> Change:
    return Change(event.owner_id, event.object_id, event.aspect_type, event.event_time)


class EventWriter:
    """Stores events that arrive together in one transaction: Strava waits 2 s for an answer, and comes in bursts.

    Whoever comes first writes for all who have come until then; the others wait for that, and find theirs done.
    """

    def __init__(self, database: Database, clock: Clock, freshness: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._freshness = freshness
        self._lock = asyncio.Lock()
        self._waiting: list[tuple[WebhookEvent, asyncio.Future[Receipt]]] = []

    async def store(self, event: WebhookEvent) -> Receipt:
        """Return once the event is committed. Raises what the database raises."""
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        async with self._lock:
            while not done.done():
                await self._write_waiting()
        return await done

    async def _write_waiting(self) -> None:
        batch, self._waiting = self._waiting[:MAX_EVENTS], self._waiting[MAX_EVENTS:]
        try:
            async with self._database.transaction() as session:
                events = [event for event, _ in batch]
                receipts = await receive_events(session, events, self._clock(), self._freshness)
        except BaseException as error:
            failure = error if isinstance(error, Exception) else Unavailable("The process is being stopped.")
            for _, done in batch:
                if not done.done():
                    done.set_exception(failure)
                    done.exception()  # whoever waited may be gone
            raise
        for (_, done), receipt in zip(batch, receipts, strict=True):
            if not done.done():
                done.set_result(receipt)
            metrics.WEBHOOK_EVENTS.labels(receipt).inc()


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
