"""Background loops that outlive their failures."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

log = structlog.stdlib.get_logger(__name__)


class PeriodicTask:
    """Calls `step` again and again: at once while it returns True, else after `idle_s` seconds.

    A failing step is logged and retried with growing waits, up to 30 s. `heartbeat_at` is when the last step began.
    """

    def __init__(self, step: Callable[[], Awaitable[bool]], idle_s: float) -> None:
        self._step = step
        self.idle_s = idle_s
        self.heartbeat_at = datetime.now(UTC)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, after the step that it is in."""
        failures = 0
        while not stopping.is_set():
            self.heartbeat_at = datetime.now(UTC)
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
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(self.idle_s * 2 ** min(failures, 10), max(self.idle_s, 30))):
                        await stopping.wait()
