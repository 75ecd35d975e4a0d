"""When faults are injected, which ones, and for how long.

CHAOS_SECONDS sets how long each test injects faults. CHAOS_SEED, which is reported with each test's counts, repeats
the same choice of faults; their exact times also depend on the machine.
"""

import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar

from testkit.waiting import wait_until

T = TypeVar("T")
Report: TypeAlias = Callable[[str], None]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "2"))  # for which each test injects faults
SEED = int(os.environ.get("CHAOS_SEED", secrets.randbelow(10**6)))
LONG = SECONDS >= 30
SETTLE_S = 60 + 2 * SECONDS  # longer than the longest backoff of relays and consumers, and enough for the backlog
TIMEOUT_S = 2 * SETTLE_S + 4 * SECONDS + 60


class ShuffleBag(Generic[T]):
    """Returns each item once in random order, and then all of them again."""

    def __init__(self, rng: random.Random, items: Sequence[T]) -> None:
        self._rng = rng
        self._items = items
        self._left: list[T] = []

    def draw(self) -> T:
        self._left = self._left or self._rng.sample(self._items, len(self._items))
        return self._left.pop()


async def fault_points(
    rng: random.Random,
    count_progress: Callable[[], Awaitable[int]],
    *,
    max_step: int = 1000,
    max_wait_s: float = 1.5,
    seconds: float = SECONDS,
    minimum: int = 1,
) -> AsyncIterator[None]:
    """Yield at random times until `seconds` are over, and at least `minimum` times.

    Each time comes after a random progress of at most `max_step`, or after a random wait of at most `max_wait_s`.
    """
    before = await wait_until(count_progress, "the first progress")
    end = time.monotonic() + seconds
    count = 0
    while count < minimum or time.monotonic() < end:
        count += 1
        target = before + rng.randint(1, max_step)

        async def has_progressed(target: int = target) -> bool:
            return await count_progress() >= target

        with suppress(TimeoutError):
            await wait_until(has_progressed, "progress", rng.uniform(0.1, max_wait_s))
        yield
        before = await count_progress()
