"""Waiting for a condition with a deadline, instead of sleeping for a guess."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

POLL_INTERVAL_S = 0.02
DEADLINE_S = 60.0


async def wait_until(
    condition: Callable[[], Any], what: str = "the condition", deadline_s: float = DEADLINE_S
) -> Any:
    """The first true value of a function or coroutine function. Raises TimeoutError, which names `what`."""
    deadline = time.monotonic() + deadline_s
    while not (value := await _evaluate(condition)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        await asyncio.sleep(POLL_INTERVAL_S)
    return value


def block_until(condition: Callable[[], T], what: str = "the condition", deadline_s: float = DEADLINE_S) -> T:
    """`wait_until` for code without a loop."""
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(POLL_INTERVAL_S)
    return value


async def stays_true(condition: Callable[[], Any], duration_s: float) -> None:
    """Return after that time; raises AssertionError if the condition is false at any look."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        assert await _evaluate(condition), "it was true at first"
        await asyncio.sleep(POLL_INTERVAL_S)


async def _evaluate(condition: Callable[[], Any]) -> Any:
    value = condition()
    return await value if inspect.isawaitable(value) else value
