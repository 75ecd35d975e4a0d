"""Waiting for a condition in tests, without a fixed sleep."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.05


async def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """Return the first truthy value of `condition`, which may be a coroutine function.

    Raises TimeoutError, which names `what`, when there is none within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        value = await value if inspect.isawaitable(value) else value
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        await asyncio.sleep(POLL_S)
