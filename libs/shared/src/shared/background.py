"""Background loops that outlive their failures."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

log = structlog.stdlib.get_logger(__name__)


class PeriodicTask:
    """Calls `step` again and again: at once while it returns True or `due` is set, else after `idle_s` seconds.

    A failing step is logged and retried with growing waits, up to 30 s. `heartbeat_at` is when the last step began.
    """

    def __init__(self, step: Callable[[], Awaitable[bool]], idle_s: float, due: asyncio.Event | None = None) -> None:
        self._step = step
        self.idle_s = idle_s
        self._due = due or asyncio.Event()
        self.heartbeat_at = datetime.now(UTC)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, after the step that it is in."""
        failures = 0
        while not stopping.is_set():
            self.heartbeat_at = datetime.now(UTC)
            self._due.clear()  # before the step, which may miss what makes it due meanwhile
            try:
                busy = await self._step()
                failures = 0
            except Exception as error:  # a loop that ends is a service that silently does nothing
                failures += 1
                busy = False
                log.warning(
                    "loop step failed", step=self._step.__qualname__, error=type(error).__name__, exc_info=True
                )
            if not busy:
                wait_s = min(self.idle_s * 2 ** min(failures, 10), max(self.idle_s, 30))
                await _wait_for_any(stopping, self._due, wait_s=wait_s)


async def _wait_for_any(*events: asyncio.Event, wait_s: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
