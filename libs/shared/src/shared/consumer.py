"""Consumers: each batch is one transaction with its inbox rows, and is acknowledged only after the commit."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, groupby
from typing import Any, TypeAlias
from uuid import UUID

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics, tracing
from shared.db import Sessions, is_infrastructure
from shared.errors import Unavailable
from shared.events import Event

log = structlog.stdlib.get_logger(__name__)

Handler: TypeAlias = Callable[[Any, AsyncSession], Awaitable[None]]


@dataclass(frozen=True)
class Batched:
    """Marks a handler that takes a list of events of one type at a time, oldest first."""

    handle: Callable[[Sequence[Any], AsyncSession], Awaitable[None]]


#: The header that counts how often a dead letter was given back; the one note of ours that outlives a failure.
REPLAY = "x-replay"

#: Event -> reaction. Reading every service's table is reading the system.
Handlers: TypeAlias = Mapping[type[Event], Handler | Batched]

_WAITS_S = (0.2, 1, 2, 5, 10, 30)  # while the database is away
_WIDEST_FLOAT = 3.4e38  # the driver writes floats in four bytes
_PATIENCE = 5  # attempts, before "not now" is doubted
_claim = text(
    """insert into inbox (consumer, message_id) select :consumer, unnest(cast(:ids as uuid[]))
       on conflict do nothing returning message_id"""
)
#: Longer than the archive can give an event again.
_REMEMBERED_DAYS = 14
_FORGET_BATCH = 5_000
_forget = text(
    """delete from inbox where ctid = any(array(
         select ctid from inbox where handled_at < now() - make_interval(days => :days) limit :batch))"""
)


class InvalidMessage(Exception):
    """The message cannot be understood, now or later; its text says why, without the payload."""


@dataclass(frozen=True)
class Delivery:
    """One understood message; `time` is when the event was written, `trace` the headers of its trace."""

    message_id: UUID
    event: Event
    time: datetime | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


def parse(message: AbstractIncomingMessage, handlers: Handlers) -> Delivery:
    """Read a message; raises InvalidMessage when it is of no known type or breaks its contract."""
    known = {event.event_type(): event for event in handlers}
    kind = str(message.headers.get("cloudEvents_type") or message.headers.get("cloudEvents:type") or message.type)
    if kind not in known:
        raise InvalidMessage(f"type {kind[:100]} is not handled here")
    try:
        return Delivery(
            UUID(str(message.message_id)),
            known[kind].model_validate_json(message.body),
            _time(message.headers.get("cloudEvents_time")),
            tracing.headers_of(message.headers),
        )
    except ValidationError as error:
        fields = ", ".join(".".join(str(p) for p in e["loc"]) + f" ({e['type']})" for e in error.errors())
        raise InvalidMessage(f"{kind} breaks its contract: {fields}") from None
    except ValueError:
        raise InvalidMessage(f"{kind} has no usable message id") from None


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo else None


class Processor:
    """Applies batches of deliveries for one consumer: each exactly once, in one transaction."""

    def __init__(self, consumer: str, sessions: Sessions, handlers: Handlers) -> None:
        self._consumer = consumer
        self._sessions = sessions
        self._handlers = handlers

    async def process(self, deliveries: Sequence[Delivery]) -> list[Exception | None]:
        """Apply them all; the outcome of each is None or the error that only it caused.

        While the database is away this waits, and so does everything behind it: the broker keeps the messages.
        """
        try:
            await self._apply_when_possible(deliveries)
        except Exception as error:  # the error becomes the message's fate
            if len(deliveries) == 1:
                return [error]
            # One of them is poison: alone, it harms only itself.
            return [outcome for one in deliveries for outcome in await self.process([one])]
        return [None] * len(deliveries)

    async def _apply_when_possible(self, deliveries: Sequence[Delivery]) -> None:
        for attempt in count(1):
            try:
                await self._apply(deliveries)
                break
            except Exception as error:
                if not (is_infrastructure(error) or isinstance(error, Unavailable)):
                    raise
                # Work that always takes too long says the same as a database that is away, and would block the queue.
                if attempt > _PATIENCE and await self._sessions.answer():
                    raise
                metrics.DATABASE_WAITS.labels(self._consumer).inc()
                wait_s = _WAITS_S[min(attempt, len(_WAITS_S)) - 1]
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
        async with self._sessions.transaction() as session:
            distinct = {delivery.message_id: delivery for delivery in deliveries}
            claimed = await session.execute(_claim, {"consumer": self._consumer, "ids": sorted(distinct)})
            fresh = set(claimed.scalars())
            await self._handle([delivery for key, delivery in distinct.items() if key in fresh], session)
        if len(fresh) < len(deliveries):
            metrics.INBOX_DUPLICATES.labels(self._consumer).inc(len(deliveries) - len(fresh))

    async def _handle(self, deliveries: Sequence[Delivery], session: AsyncSession) -> None:
        for kind, group in groupby(deliveries, key=lambda delivery: type(delivery.event)):
            handler = self._handlers[kind]
            if isinstance(handler, Batched):
                together = list(group)
                with self._context(together):
                    await handler.handle([delivery.event for delivery in together], session)
            else:
                for delivery in group:
                    with self._context([delivery]):
                        await handler(delivery.event, session)

    @contextmanager
    def _context(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Goes on with the events' trace, and says in each log line which queue and message it is about."""
        bound = {"queue": self._consumer}
        if len(deliveries) == 1:
            bound["message_id"] = str(deliveries[0].message_id)
        with (
            tracing.consuming(self._consumer, [delivery.trace for delivery in deliveries]) as trace_id,
            structlog.contextvars.bound_contextvars(**bound, **({"trace_id": trace_id} if trace_id else {})),
        ):
            yield


async def forget_handled(sessions: Sessions) -> bool:
    """Delete some inbox rows that are too old to be needed; returns whether there may be more."""
    async with sessions.engine.begin() as connection:
        gone = await connection.execute(_forget, {"days": _REMEMBERED_DAYS, "batch": _FORGET_BATCH})
    return gone.rowcount == _FORGET_BATCH


def dead_letter(message: AbstractIncomingMessage, reason: str) -> aio_pika.Message:
    """A copy of the message for the dead letters, with the reason that a person will read."""
    return _copy(message, {"x-reason": reason[:500]})


def retry(message: AbstractIncomingMessage, attempt: int, error: Exception) -> aio_pika.Message:
    """A copy of the message for a later attempt."""
    return _copy(message, {"x-attempt": attempt, "x-reason": type(error).__name__})


def attempt_of(message: AbstractIncomingMessage) -> int:
    """How often the message was retried; counted in our own header, because 4.x ignores x-death on copies."""
    value = message.headers.get("x-attempt", 0)
    return max(value, 0) if isinstance(value, int) else 0


def _copy(message: AbstractIncomingMessage, headers: dict[str, str | int]) -> aio_pika.Message:
    kept = {
        name: sendable(value)
        for name, value in message.headers.items()
        if not name.startswith("x-") or name == REPLAY
    }
    return aio_pika.Message(
        message.body,
        headers={**kept, **headers},
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        content_type=message.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def sendable(value: Any) -> Any:
    """A header as the driver can send it: it reads bytes and wide numbers that it refuses to write."""
    if isinstance(value, Mapping):
        return {key: sendable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [sendable(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value) and abs(value) > _WIDEST_FLOAT:
        return repr(value)
    return bytearray(value) if isinstance(value, bytes) else value
