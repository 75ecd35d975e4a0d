"""The archive, a stream of all events of the last days: reading it from any point."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from aiormq.abc import AbstractConnection

from ops import message_codec
from ops.broker import MAX_PREFETCH, QueueReader, open_connection, queue_stats
from ops.message_codec import RawMessage
from shared.contracts.events import Event
from shared.contracts.queues import ARCHIVE, exchange_name

NAME = "gruppetto archive"
#: In this time the broker sends the first event from wherever it is; measured: less than 0.1 s.
RECEIVE_TIMEOUT_S = 5.0
#: The events of one chunk come together; measured: less than 0.01 s apart.
_BURST_S = 0.5
_LONGEST_BURST_S = 3.0
#: A reader that gets nothing for so long before the end fails with a timeout.
_STALL_S = 30.0
_PREFETCH = 1_000
_ACK_EVERY = 200
#: How far the broker's clock may be behind the clocks of the services.
_CLOCK_SKEW = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Start: TypeAlias = Literal["first", "last", "next"] | int | datetime
End: TypeAlias = int | datetime


@dataclass(frozen=True)
class ArchivedEvent:
    """An event of the archive; fields that the message does not have are empty."""

    offset: int
    id: str
    type: str
    subject: str
    time: datetime | None
    source: str
    exchange: str
    routing_key: str
    traceparent: str
    raw: RawMessage

    @property
    def body(self) -> bytes:
        """The payload as it was published."""
        return self.raw.body


@dataclass(frozen=True)
class ArchiveFilter:
    """Selects events; an empty field selects all."""

    types: Collection[str] = ()
    subject: str = ""
    consumed: Collection[type[Event]] | None = None  # the events that a consumer's queue is bound to

    def includes(self, event: ArchivedEvent) -> bool:
        """Whether the filter selects this one."""
        return (
            (not self.types or any(message_codec.is_of_type(event.type, kind) for kind in self.types))
            and (not self.subject or event.subject == self.subject)
            and (self.consumed is None or any(_is_address(event, kind) for kind in self.consumed))
        )


EVERYTHING = ArchiveFilter()


def _is_address(event: ArchivedEvent, kind: type[Event]) -> bool:
    return (event.exchange, event.routing_key) == (exchange_name(kind.producer), kind.routing_key())


@dataclass(frozen=True)
class _Span:
    """The range to read; `stop` is the last offset, None for no end."""

    start: Start
    until: End | None
    stop: int | None
    follow: bool

    @property
    def argument(self) -> str | int | datetime:
        """The consumer argument `x-stream-offset`; the broker may send some events before it."""
        if not isinstance(self.start, datetime):
            return self.start
        # An event occurred before it got here, unless the clocks differ.
        return max(self.start, _EPOCH + _CLOCK_SKEW) - _CLOCK_SKEW

    def includes(self, event: ArchivedEvent) -> bool:
        start, until = self.start, self.until
        if (isinstance(start, int) and event.offset < start) or (self.stop is not None and event.offset > self.stop):
            return False
        if event.time is None:
            return True
        too_early = isinstance(start, datetime) and event.time < start
        return not too_early and not (isinstance(until, datetime) and event.time > until)

    def is_over(self, event: ArchivedEvent) -> bool:
        return self.stop is not None and event.offset >= self.stop


async def read(
    url: str,
    start: Start = "first",
    until: End | None = None,
    *,
    wanted: ArchiveFilter = EVERYTHING,
    follow: bool = False,
    queue: str = ARCHIVE,
) -> AsyncGenerator[ArchivedEvent, None]:
    """Events from `start` to `until`, both included, in the order of the archive.

    An offset counts in the stream. A moment is when the event occurred, which may be long before it got there; an
    event without one is included. It ends with the event that was the last one at the beginning; with
    `follow` it waits for more.
    """
    async with open_connection(url, NAME) as connection:
        span = await _span(connection, queue, start, until, follow)
        if span is None:
            return
        async with aclosing(_read(connection, queue, span)) as events:
            async for event in events:
                if wanted.includes(event):
                    yield event


async def _span(
    connection: AbstractConnection, queue: str, start: Start, until: End | None, follow: bool
) -> _Span | None:
    """The range that can be read; None when it is empty."""
    stop = until if isinstance(until, int) else None
    if follow and start != "last":
        await queue_stats(connection, queue)
        return _Span(start, until, stop, follow)
    last = await last_offset(connection, queue)
    if follow:
        return _Span("first" if last is None else last, until, stop, follow)
    if last is None or start == "next" or (isinstance(start, int) and start > last):
        return None
    return _Span(last if start == "last" else start, until, last if stop is None else min(stop, last), follow)


async def last_offset(connection: AbstractConnection, queue: str = ARCHIVE) -> int | None:
    """The offset of the last event, None if there is none.

    Only a reader of the last chunk knows: the broker's count of a stream's messages is seconds old, and on 3.10
    it is 0 until then.
    """
    await queue_stats(connection, queue)
    last = None
    async with aclosing(QueueReader(connection, queue)) as stream:
        await stream.open(MAX_PREFETCH, {"x-stream-offset": "last"})
        with suppress(TimeoutError):
            last = _offset(await stream.next(RECEIVE_TIMEOUT_S))
            async with asyncio.timeout(_LONGEST_BURST_S):
                while True:
                    last = _offset(await stream.next(_BURST_S))
    return last


async def _read(connection: AbstractConnection, queue: str, span: _Span) -> AsyncGenerator[ArchivedEvent, None]:
    async with aclosing(QueueReader(connection, queue)) as stream:
        await stream.open(_PREFETCH, {"x-stream-offset": span.argument})
        # Where a moment begins only the broker knows; if nothing got there since, nothing comes.
        by_moment = isinstance(span.start, datetime)
        for number in itertools.count():
            first_by_moment = by_moment and number == 0
            try:
                raw = await stream.next(None if span.follow else RECEIVE_TIMEOUT_S if first_by_moment else _STALL_S)
            except TimeoutError:
                if first_by_moment:
                    return
                raise
            if number % _ACK_EVERY == 0:
                await stream.ack(raw, multiple=True)
            event = parse_event(raw)
            if span.includes(event):
                yield event
            if span.is_over(event):
                return


def parse_event(raw: RawMessage) -> ArchivedEvent:
    """Decode the envelope of an event."""
    return ArchivedEvent(
        offset=_offset(raw),
        id=message_codec.escape_control(message_codec.message_id(raw)),
        type=message_codec.event_type(raw),
        subject=message_codec.to_text(message_codec.attribute(raw, "subject")),
        time=message_codec.occurred_at(raw),
        source=message_codec.to_text(message_codec.attribute(raw, "source")),
        exchange=raw.exchange or "",
        routing_key=raw.routing_key or "",
        traceparent=message_codec.to_text(message_codec.headers(raw).get("traceparent")),
        raw=raw,
    )


def _offset(raw: RawMessage) -> int:
    return int(message_codec.headers(raw)["x-stream-offset"])
