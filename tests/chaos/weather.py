"""How long the storms last, when the next gust comes, and what it hits.

CHAOS_SECONDS sets the length of each storm. CHAOS_SEED, with which every line of counts ends, deals the same blows
again; when exactly they fall, no seed decides.
"""

import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar

from ledger import until

T = TypeVar("T")
Say: TypeAlias = Callable[[str], None]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "2"))  # that each storm lasts
SEED = int(os.environ.get("CHAOS_SEED", secrets.randbelow(10**6)))
LONG = SECONDS >= 30
SETTLE_S = 60 + 2 * SECONDS  # longer than the longest waits of relays and consumers, and for what piled up
TIMEOUT_S = 2 * SETTLE_S + 4 * SECONDS + 60


class Deck(Generic[T]):
    """Deals each card once in random order, and then again."""

    def __init__(self, dice: random.Random, cards: Sequence[T]) -> None:
        self._dice = dice
        self._cards = cards
        self._left: list[T] = []

    def deal(self) -> T:
        self._left = self._left or self._dice.sample(self._cards, len(self._cards))
        return self._left.pop()


async def gusts(
    dice: random.Random,
    progress: Callable[[], Awaitable[int]],
    *,
    most: int = 1000,
    patience_s: float = 1.5,
    seconds: float = SECONDS,
) -> AsyncIterator[None]:
    """One after each random bit of progress, or after a random while without any, until the time is over."""
    before = await until(progress, "anything happens")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        aim = before + dice.randint(1, most)

        async def there(aim: int = aim) -> bool:
            return await progress() >= aim

        with suppress(TimeoutError):
            await until(there, "progress", dice.uniform(0.1, patience_s))
        yield
        before = await progress()
