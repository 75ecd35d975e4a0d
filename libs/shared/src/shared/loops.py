"""Background loops that outlive their failures."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

log = structlog.stdlib.get_logger(__name__)


async def repeat(step: Callable[[], Awaitable[bool]], idle_s: float, stopping: asyncio.Event) -> None:
    """Call `step` until `stopping`: again at once while it returns True, else after `idle_s` seconds.

    A failing step is logged and tried again with growing waits, up to 30 s.
    """
    failures = 0
    while not stopping.is_set():
        try:
            busy = await step()
            failures = 0
        except Exception as error:  # a loop that ends is a service that silently does nothing
            failures += 1
            busy = False
            log.warning("loop step failed", step=step.__qualname__, error=type(error).__name__, exc_info=True)
        if not busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(idle_s * 2 ** min(failures, 10), max(idle_s, 30))):
                    await stopping.wait()
