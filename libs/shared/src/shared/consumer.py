"""Consumers: each batch is one transaction with its inbox rows, and is acknowledged only after the commit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any, TypeAlias
from uuid import UUID

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Sessions, is_infrastructure
from shared.errors import Unavailable
from shared.events import Event

log = structlog.stdlib.get_logger(__name__)

Handler: TypeAlias = Callable[[Any, AsyncSession], Awaitable[None]]


@dataclass(frozen=True)
class Batched:
    """Marks a handler that takes a list of events of one type at a time, oldest first."""

    handle: Callable[[Sequence[Any], AsyncSession], Awaitable[None]]


#: Event -> reaction. Reading every service's table is reading the system.
Handlers: TypeAlias = Mapping[type[Event], Handler | Batched]

_WAITS_S = (0.2, 1, 2, 5, 10, 30)  # while the database is away
_claim = text(
    """insert into inbox (consumer, message_id) select :consumer, unnest(cast(:ids as uuid[]))
       on conflict do nothing returning message_id"""
)


class InvalidMessage(Exception):
    """The message cannot be understood, now or later; its text says why, without the payload."""


@dataclass(frozen=True)
class Delivery:
    """One understood message."""

    message_id: UUID
    event: Event


def parse(message: AbstractIncomingMessage, handlers: Handlers) -> Delivery:
    """Read a message; raises InvalidMessage when it is of no known type or breaks its contract."""
    known = {event.event_type(): event for event in handlers}
    kind = str(message.headers.get("cloudEvents_type") or message.headers.get("cloudEvents:type") or message.type)
    if kind not in known:
        raise InvalidMessage(f"type {kind[:100]} is not handled here")
    try:
        return Delivery(UUID(str(message.message_id)), known[kind].model_validate_json(message.body))
    except ValidationError as error:
        fields = ", ".join(".".join(str(p) for p in e["loc"]) + f" ({e['type']})" for e in error.errors())
        raise InvalidMessage(f"{kind} breaks its contract: {fields}") from None
    except ValueError:
        raise InvalidMessage(f"{kind} has no usable message id") from None


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
        for attempt in count():
            try:
                await self._apply(deliveries)
                return
            except Exception as error:
                if not (is_infrastructure(error) or isinstance(error, Unavailable)):
                    raise
                wait_s = _WAITS_S[min(attempt, len(_WAITS_S) - 1)]
                log.warning("waiting for infrastructure", error=type(error).__name__, wait_s=wait_s)
                await asyncio.sleep(wait_s)

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        async with self._sessions.transaction() as session:
            events = {delivery.message_id: delivery.event for delivery in deliveries}
            claimed = await session.execute(_claim, {"consumer": self._consumer, "ids": sorted(events)})
            fresh = set(claimed.scalars())
            await self._handle([event for key, event in events.items() if key in fresh], session)

    async def _handle(self, events: Iterable[Event], session: AsyncSession) -> None:
        for kind, group in groupby(events, key=type):
            handler = self._handlers[kind]
            if isinstance(handler, Batched):
                await handler.handle(list(group), session)
            else:
                for event in group:
                    await handler(event, session)


class Batcher:
    """Gathers what concurrent callers submit into batches; each caller waits for its own outcome."""

    def __init__(
        self,
        process: Callable[[Sequence[Delivery]], Awaitable[list[Exception | None]]],
        size: int,
        wait_s: float,
    ) -> None:
        self._process = process
        self._size = size
        self._wait_s = wait_s
        self._pending: list[tuple[Delivery, asyncio.Future[Exception | None]]] = []
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, delivery: Delivery) -> Exception | None:
        """Have it processed with its neighbours; returns the error that it caused, or None."""
        outcome: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._pending.append((delivery, outcome))
        if len(self._pending) >= self._size:
            self._full.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await outcome

    async def stop(self) -> None:
        """Give up what is not done; whoever waits for it is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        for _, waiting in self._pending:
            waiting.cancel()
        self._pending.clear()

    async def _work(self) -> None:
        while self._pending:
            if len(self._pending) < self._size:
                await self._wait_for_neighbours()
            taken, self._pending = self._pending[: self._size], self._pending[self._size :]
            # Nobody waits any more for what came over a connection that was lost: it is delivered again.
            batch = [(delivery, waiting) for delivery, waiting in taken if not waiting.done()]
            try:
                outcomes = await self._process([delivery for delivery, _ in batch])
                for (_, waiting), outcome in zip(batch, outcomes, strict=True):
                    if not waiting.done():
                        waiting.set_result(outcome)
            finally:
                # Without an outcome, by a cancellation or a bug, nobody may wait for ever.
                for _, waiting in batch:
                    waiting.cancel()

    async def _wait_for_neighbours(self) -> None:
        self._full.clear()
        try:
            async with asyncio.timeout(self._wait_s):
                await self._full.wait()
        except TimeoutError:
            pass


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
    kept = {key: value for key, value in message.headers.items() if not key.startswith("x-")}
    return aio_pika.Message(
        message.body,
        headers={**kept, **headers},
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        content_type=message.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
