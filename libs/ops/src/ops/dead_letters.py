"""Dead letters, that is, messages that a consumer could not handle: listing, replaying and discarding them."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from aiormq.abc import AbstractConnection

from ops import message_codec
from ops.broker import MAX_PREFETCH, QueueReader, queue_stats
from ops.errors import OperatorError
from ops.message_codec import RawMessage
from ops.republish import republish
from shared.contracts.queues import dead_letter_queue
from shared.messaging.publisher import Publisher
from shared.messaging.redelivery import REPLAY

RECEIVE_TIMEOUT_S = 10.0  # until it is clear that somebody else holds the rest
LEASE_TIMEOUT_S = 10.0  # for another command to end
_POLL_INTERVAL_S = 0.02
_ATTEMPTS = re.compile(r"after (\d{1,4}) attempts?$")

MovedBy: TypeAlias = Literal["consumer", "broker"]


@dataclass(frozen=True)
class DeadLetter:
    """The envelope of a dead letter; its body stays on the broker."""

    queue: str  # whose consumer failed
    id: str
    message_id: str | None  # None: it has none, and `id` is derived from what it says
    type: str
    subject: str
    reason: str
    moved_by: MovedBy | None
    attempts: int | None
    occurred_at: datetime | None
    died_at: datetime | None  # only the broker notes it
    replays: int
    size: int


@dataclass(frozen=True)
class DeadLetterFilter:
    """Selects dead letters; an empty field selects all."""

    ids: frozenset[str] | None = None
    type: str = ""
    reason: str = ""

    def includes(self, letter: DeadLetter) -> bool:
        """Whether the filter selects this one."""
        return (
            (self.ids is None or letter.id in self.ids)
            and (not self.type or message_codec.is_of_type(letter.type, self.type))
            and self.reason.lower() in letter.reason.lower()
        )


EVERYTHING = DeadLetterFilter()


@dataclass
class DeadLetterPage:
    """The selected dead letters of one queue, and how many it has in all."""

    queue: str
    total: int
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True)
class _Death:
    """The entry of `x-death` about the move of a message."""

    reason: str
    at: datetime | None


@dataclass(frozen=True)
class LeasedDeadLetter:
    """A dead letter that is invisible to others until its reader ends."""

    letter: DeadLetter
    raw: RawMessage
    reader: QueueReader

    async def remove(self) -> None:
        """Acknowledge it, which deletes it."""
        await self.reader.ack(self.raw)


async def list_dead_letters(
    connection: AbstractConnection, queue: str, wanted: DeadLetterFilter = EVERYTHING, limit: int = 0
) -> DeadLetterPage:
    """The dead letters of a queue, oldest first; `limit` 0 means all. Raises OperatorError, broker errors."""
    found = DeadLetterPage(queue, await _count(connection, dead_letter_queue(queue)))
    # Without a filter the broker need not send more.
    most = limit if wanted == EVERYTHING and limit else MAX_PREFETCH
    async with browse(connection, queue, wanted, most) as browsing:
        async for leased in browsing:
            found.dead_letters.append(leased.letter)
            if len(found.dead_letters) == limit:
                break
    return found


@asynccontextmanager
async def browse(
    connection: AbstractConnection, queue: str, wanted: DeadLetterFilter = EVERYTHING, most: int = MAX_PREFETCH
) -> AsyncIterator[AsyncGenerator[LeasedDeadLetter, None]]:
    """The selected ones of the first `most` dead letters; at the end the broker requeues what was not removed."""
    name = dead_letter_queue(queue)
    # What comes later is not ours to see: a replayed dead letter may fail again while we are looking.
    total = min(await _count(connection, name), most)
    async with (
        aclosing(QueueReader(connection, name)) as reader,
        aclosing(_leased(reader, queue, total, wanted)) as browsing,
    ):
        try:
            yield browsing
        finally:
            await reader.settle()


async def _leased(
    reader: QueueReader, queue: str, total: int, wanted: DeadLetterFilter
) -> AsyncGenerator[LeasedDeadLetter, None]:
    if total:  # a prefetch of 0 would have no limit
        await reader.open(total)
    for _ in range(total):
        try:
            raw = await reader.next(RECEIVE_TIMEOUT_S)
        except TimeoutError:
            raise OperatorError(f"another command took some of {queue}'s dead letters; try again") from None
        letter = parse_dead_letter(queue, raw)
        if wanted.includes(letter):
            yield LeasedDeadLetter(letter, raw, reader)


async def replay(
    connection: AbstractConnection, publisher: Publisher, queue: str, wanted: DeadLetterFilter
) -> AsyncGenerator[DeadLetter, None]:
    """Publish the dead letters to their consumer's queue, and to no other; yields each when that is done.

    Each is removed after the broker has confirmed its copy: an interruption in between leaves both.
    """
    async with (
        browse(connection, queue, wanted) as browsing,
        aclosing(republish(publisher, queue, browsing, lambda leased: leased.raw)) as confirmed,
    ):
        async for leased in confirmed:
            await leased.remove()
            yield leased.letter


async def discard(
    connection: AbstractConnection, queue: str, wanted: DeadLetterFilter
) -> AsyncGenerator[DeadLetter, None]:
    """Delete the dead letters; yields each when that is done."""
    async with browse(connection, queue, wanted) as browsing:
        async for leased in browsing:
            await leased.remove()
            yield leased.letter


async def _count(connection: AbstractConnection, name: str) -> int:
    """How many dead letters there are, once no other reader holds any. Raises OperatorError when one does."""
    # Also the end of an own look takes the broker a moment, until which its dead letters seem to be gone.
    deadline = time.monotonic() + LEASE_TIMEOUT_S  # no asyncio.timeout: aiormq may swallow a cancellation
    while True:
        ready, consumers = await queue_stats(connection, name)
        if not consumers:
            return ready
        if time.monotonic() > deadline:
            raise OperatorError(f"another command is looking at {name}; try again")
        await asyncio.sleep(_POLL_INTERVAL_S)


def parse_dead_letter(queue: str, raw: RawMessage) -> DeadLetter:
    """Decode the envelope of a dead letter."""
    headers = message_codec.headers(raw)
    death = _death(queue, headers.get("x-death"))
    noted = message_codec.to_text(headers.get("x-reason"))
    return DeadLetter(
        queue=queue,
        id=message_codec.escape_control(message_codec.message_id(raw)),
        message_id=raw.header.properties.message_id,
        type=message_codec.event_type(raw),
        subject=message_codec.to_text(message_codec.attribute(raw, "subject")),
        reason=_reason(death, noted),
        moved_by="broker" if death else "consumer" if noted else None,
        attempts=_attempts(death, noted, headers),
        occurred_at=message_codec.occurred_at(raw),
        died_at=death.at if death else None,
        replays=message_codec.to_count(headers.get(REPLAY)),
        size=len(raw.body),
    )


def _death(queue: str, deaths: Any) -> _Death | None:
    """The entry about its move here, and not those of the retry queues that it passed."""
    for death in deaths if isinstance(deaths, list) else []:
        if isinstance(death, dict) and death.get("queue") == queue:
            at = death.get("time")
            return _Death(message_codec.to_text(death.get("reason")), at if isinstance(at, datetime) else None)
    return None


def _reason(death: _Death | None, noted: str) -> str:
    if death is None:
        return noted
    return f"broker: {death.reason}" + (f", last error: {noted}" if noted else "")


def _attempts(death: _Death | None, noted: str, headers: Mapping[str, Any]) -> int | None:
    if "x-attempt" in headers:
        return message_codec.to_count(headers["x-attempt"]) + 1
    if death is not None or not noted:
        return None
    found = _ATTEMPTS.search(noted)
    return int(found[1]) if found else 1
