"""The inbox: each batch of deliveries is applied in one transaction with its inbox rows, each delivery once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby
from typing import Any, TypeAlias

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import Event
from shared.database.engine import Database, is_transient
from shared.errors import Unavailable
from shared.messaging.decoding import Delivery
from shared.observability import metrics, tracing

log = structlog.stdlib.get_logger(__name__)

Handler: TypeAlias = Callable[[Any, AsyncSession], Awaitable[None]]


@dataclass(frozen=True)
class BatchHandler:
    """Marks a handler that takes a list of events of one type at a time, oldest first."""

    handle: Callable[[Sequence[Any], AsyncSession], Awaitable[None]]


@dataclass(frozen=True)
class DeliveryHandler:
    """Likewise, for a handler that also needs to know which message an event came in."""

    handle: Callable[[Sequence[Delivery], AsyncSession], Awaitable[None]]


#: Runs once in each transaction, with all of its events, before their handlers: locks are taken in one order there.
Prepare: TypeAlias = Callable[[Sequence[Any], AsyncSession], Awaitable[None]]

#: Event -> handler. The tables of all services together are the table of the system.
Handlers: TypeAlias = Mapping[type[Event], Handler | BatchHandler | DeliveryHandler]

_BACKOFF_S = (0.2, 1, 2, 5, 10, 30)  # while the database is away
_MAX_TRANSIENT_ATTEMPTS = 5  # after so many, an error that recurs while the database answers is the message's own
_claim = text(
    """insert into inbox (consumer, message_id) select :consumer, unnest(cast(:ids as uuid[]))
       on conflict do nothing returning message_id"""
)
#: Longer than the archive can give an event again.
_RETENTION_DAYS = 14
_PURGE_BATCH = 5_000
_purge = text(
    """delete from inbox where ctid = any(array(
         select ctid from inbox where handled_at < now() - make_interval(days => :days) limit :batch))"""
)


class InboxProcessor:
    """Applies batches of deliveries for one consumer: each exactly once, in one transaction."""

    def __init__(self, consumer: str, database: Database, handlers: Handlers, prepare: Prepare | None = None) -> None:
        self._consumer = consumer
        self._database = database
        self._handlers = handlers
        self._prepare = prepare

    async def process(self, deliveries: Sequence[Delivery]) -> list[Exception | None]:
        """Apply deliveries; returns for each None or the error that it caused.

        While the database is unreachable this waits, and the broker keeps what comes behind it.
        """
        try:
            await self._apply_with_retries(deliveries)
        except Exception as error:  # returned: the caller decides on retry or dead letter
            if len(deliveries) == 1:
                return [error]
            # One of them fails the batch: applied one by one, it fails alone.
            return [outcome for one in deliveries for outcome in await self.process([one])]
        return [None] * len(deliveries)

    async def _apply_with_retries(self, deliveries: Sequence[Delivery]) -> None:
        for attempt in count(1):
            try:
                await self._apply(deliveries)
                break
            except Exception as error:
                if not (is_transient(error) or isinstance(error, Unavailable)):
                    raise
                # A statement that always times out looks like an unreachable database, and would block the queue.
                if attempt > _MAX_TRANSIENT_ATTEMPTS and await self._database.ping():
                    raise
                metrics.DATABASE_WAITS.labels(self._consumer).inc()
                wait_s = _BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1]
                log.warning(
                    "waiting for infrastructure", queue=self._consumer, error=type(error).__name__, wait_s=wait_s
                )
                await asyncio.sleep(wait_s)
        self._measure(deliveries)

    def _measure(self, deliveries: Sequence[Delivery]) -> None:
        now = datetime.now(UTC)
        lag = metrics.EVENT_LAG.labels(self._consumer)
        for delivery in deliveries:
            if delivery.time is not None:
                lag.observe((now - delivery.time).total_seconds())
        metrics.BATCH_SIZE.labels(self._consumer).observe(len(deliveries))

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        async with self._database.transaction() as session:
            distinct = {delivery.message_id: delivery for delivery in deliveries}
            claimed = await session.execute(_claim, {"consumer": self._consumer, "ids": sorted(distinct)})
            fresh = set(claimed.scalars())
            new = [delivery for key, delivery in distinct.items() if key in fresh]
            if new and self._prepare is not None:
                await self._prepare([delivery.event for delivery in new], session)
            await self._handle(new, session)
        if len(fresh) < len(deliveries):
            metrics.INBOX_DUPLICATES.labels(self._consumer).inc(len(deliveries) - len(fresh))

    async def _handle(self, deliveries: Sequence[Delivery], session: AsyncSession) -> None:
        for kind, group in groupby(deliveries, key=lambda delivery: type(delivery.event)):
            handler = self._handlers[kind]
            if isinstance(handler, BatchHandler | DeliveryHandler):
                together = list(group)
                given: Sequence[Any] = together
                if isinstance(handler, BatchHandler):
                    given = [delivery.event for delivery in together]
                with self._context(together):
                    await handler.handle(given, session)
            else:
                for delivery in group:
                    with self._context([delivery]):
                        await handler(delivery.event, session)

    @contextmanager
    def _context(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Continue the trace of the events, and bind queue and message id to the log."""
        bound = {"queue": self._consumer}
        if len(deliveries) == 1:
            bound["message_id"] = str(deliveries[0].message_id)
        with (
            tracing.consumer_span(self._consumer, [delivery.trace for delivery in deliveries]) as trace_id,
            structlog.contextvars.bound_contextvars(**bound, **({"trace_id": trace_id} if trace_id else {})),
        ):
            yield


async def purge_inbox(database: Database) -> bool:
    """Delete some inbox rows that are too old to be needed; returns whether there may be more."""
    async with database.engine.begin() as connection:
        gone = await connection.execute(_purge, {"days": _RETENTION_DAYS, "batch": _PURGE_BATCH})
    return gone.rowcount == _PURGE_BATCH
