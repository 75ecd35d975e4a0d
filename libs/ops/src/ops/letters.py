"""Dead letters: what consumers could not handle, looked at, given back, handled once more, or thrown away."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from aiormq.abc import AbstractConnection

from ops import messages
from ops.broker import MAX_PREFETCH, Deliveries, Trouble, look_at
from ops.messages import Raw
from ops.sending import send_again
from shared.contracts.queues import dead_letter_queue
from shared.messaging.publisher import Publisher
from shared.messaging.redelivery import REPLAY

SILENCE_S = 10.0  # until it is clear that somebody else holds the rest
TURN_S = 10.0  # for another command to end
_PAUSE_S = 0.02
_ATTEMPTS = re.compile(r"after (\d{1,4}) attempts?$")

MovedBy: TypeAlias = Literal["consumer", "broker"]


@dataclass(frozen=True)
class Letter:
    """What a dead letter says about itself; its body stays with the broker."""

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
class Wanted:
    """Which letters are meant; what is not said does not matter."""

    ids: frozenset[str] | None = None
    type: str = ""
    reason: str = ""

    def includes(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        return (
            (self.ids is None or letter.id in self.ids)
            and (not self.type or messages.is_of_type(letter.type, self.type))
            and self.reason.lower() in letter.reason.lower()
        )


EVERYTHING = Wanted()


@dataclass
class Pile:
    """The dead letters of one queue: how many there are, and those that were asked for."""

    queue: str
    total: int
    letters: list[Letter] = field(default_factory=list)


@dataclass(frozen=True)
class _Death:
    """The broker's note on moving a message."""

    reason: str
    at: datetime | None


@dataclass(frozen=True)
class Held:
    """A letter in our hand: everybody else sees it again when we end."""

    letter: Letter
    raw: Raw
    deliveries: Deliveries

    async def remove(self) -> None:
        """Take it out of the queue for ever."""
        await self.deliveries.ack(self.raw)


async def pile(connection: AbstractConnection, queue: str, wanted: Wanted = EVERYTHING, limit: int = 0) -> Pile:
    """Look at the dead letters of a queue, oldest first; `limit` 0 means all."""
    found = Pile(queue, await _count(connection, dead_letter_queue(queue)))
    # Without a filter the broker need not send more.
    most = limit if wanted == EVERYTHING and limit else MAX_PREFETCH
    async with look(connection, queue, wanted, most) as looking:
        async for held in looking:
            found.letters.append(held.letter)
            if len(found.letters) == limit:
                break
    return found


@asynccontextmanager
async def look(
    connection: AbstractConnection, queue: str, wanted: Wanted = EVERYTHING, most: int = MAX_PREFETCH
) -> AsyncIterator[AsyncGenerator[Held, None]]:
    """The wanted ones of the first `most` letters; at the end the queue has back what was not removed."""
    name = dead_letter_queue(queue)
    # What comes later is not ours to see: a replayed letter may fail again while we are looking.
    total = min(await _count(connection, name), most)
    async with (
        aclosing(Deliveries(connection, name)) as deliveries,
        aclosing(_held(deliveries, queue, total, wanted)) as looking,
    ):
        try:
            yield looking
        finally:
            await deliveries.settle()


async def _held(deliveries: Deliveries, queue: str, total: int, wanted: Wanted) -> AsyncGenerator[Held, None]:
    if total:  # a prefetch of 0 would have no limit
        await deliveries.open(total)
    for _ in range(total):
        try:
            raw = await deliveries.next(SILENCE_S)
        except TimeoutError:
            raise Trouble(f"another command took some of {queue}'s dead letters; try again") from None
        letter = letter_of(queue, raw)
        if wanted.includes(letter):
            yield Held(letter, raw, deliveries)


async def replay(
    connection: AbstractConnection, publisher: Publisher, queue: str, wanted: Wanted
) -> AsyncGenerator[Letter, None]:
    """Give the letters to their consumer once more, and to nobody else; each is told when that is done.

    A letter is removed after the broker has confirmed its copy: whatever happens in between leaves both.
    """
    async with (
        look(connection, queue, wanted) as looking,
        aclosing(send_again(publisher, queue, looking, lambda held: held.raw)) as confirmed,
    ):
        async for held in confirmed:
            await held.remove()
            yield held.letter


async def discard(connection: AbstractConnection, queue: str, wanted: Wanted) -> AsyncGenerator[Letter, None]:
    """Remove the letters for ever; each is told when that is done."""
    async with look(connection, queue, wanted) as looking:
        async for held in looking:
            await held.remove()
            yield held.letter


async def _count(connection: AbstractConnection, name: str) -> int:
    """How many letters there are, once nobody else holds any."""
    # Also the end of an own look takes the broker a moment, until which its letters seem to be gone.
    deadline = time.monotonic() + TURN_S  # no asyncio.timeout: aiormq may swallow a cancellation
    while True:
        ready, lookers = await look_at(connection, name)
        if not lookers:
            return ready
        if time.monotonic() > deadline:
            raise Trouble(f"another command is looking at {name}; try again")
        await asyncio.sleep(_PAUSE_S)


def letter_of(queue: str, raw: Raw) -> Letter:
    """Read a letter's envelope."""
    headers = messages.headers(raw)
    death = _death(queue, headers.get("x-death"))
    noted = messages.text(headers.get("x-reason"))
    return Letter(
        queue=queue,
        id=messages.printable(messages.message_id(raw)),
        message_id=raw.header.properties.message_id,
        type=messages.event_type(raw),
        subject=messages.text(messages.attribute(raw, "subject")),
        reason=_reason(death, noted),
        moved_by="broker" if death else "consumer" if noted else None,
        attempts=_attempts(death, noted, headers),
        occurred_at=messages.time(raw),
        died_at=death.at if death else None,
        replays=messages.count(headers.get(REPLAY)),
        size=len(raw.body),
    )


def _death(queue: str, deaths: Any) -> _Death | None:
    """The broker's note on moving it here, and not the ones of the retry queues that it passed."""
    for death in deaths if isinstance(deaths, list) else []:
        if isinstance(death, dict) and death.get("queue") == queue:
            at = death.get("time")
            return _Death(messages.text(death.get("reason")), at if isinstance(at, datetime) else None)
    return None


def _reason(death: _Death | None, noted: str) -> str:
    if death is None:
        return noted
    return f"broker: {death.reason}" + (f", last error: {noted}" if noted else "")


def _attempts(death: _Death | None, noted: str, headers: Mapping[str, Any]) -> int | None:
    if "x-attempt" in headers:
        return messages.count(headers["x-attempt"]) + 1
    if death is not None or not noted:
        return None
    told = _ATTEMPTS.search(noted)
    return int(told[1]) if told else 1
