"""The one place where the simulator learns what time it is, and where it is told another."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeAlias

Wait: TypeAlias = Callable[[], Awaitable[None]]

# Arithmetic with moments and zones fails at the ends of the calendar.
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Anything that can say what time it is; tests pass one they can turn by hand."""

    def now(self) -> datetime:
        """The current moment, with a time zone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that runs along with another until it is set, frozen or advanced."""

    def __init__(self, along: Clock) -> None:
        self._along = along
        self._ahead = timedelta()
        self._frozen_at: datetime | None = None
        self._turned_back = timedelta()
        self._changed = asyncio.Event()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """The simulated moment in UTC."""
        return self._frozen_at or self._along.now() + self._ahead

    def turn(self, *, to: datetime | None = None, advance_s: float = 0, frozen: bool | None = None) -> None:
        """Show that moment, and then one so much later; stand still or run on from there, or as before.

        Raises OverflowError, and changes nothing, when that would be beyond `EARLIEST` and `LATEST`.
        """
        before = self.now()
        moment = before
        if to is not None or advance_s:
            moment = (to or before) + timedelta(seconds=advance_s)
            if not EARLIEST <= moment <= LATEST:
                raise OverflowError(f"the clock can be set from {EARLIEST.year} to {LATEST.year}")
            moment = moment.astimezone(UTC)
        self._frozen_at = moment if (self.frozen if frozen is None else frozen) else None
        self._ahead = moment - self._along.now()
        self._turned_back += max(before - moment, timedelta())
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def passing(self, seconds: float) -> Wait:
        """A wait, to be called, for so much simulated time from now on.

        Turning the clock on shortens it; turning it back does not lengthen it.
        """
        return partial(self._until, self.now() + timedelta(seconds=seconds), self._turned_back)

    async def _until(self, moment: datetime, turned_back: timedelta) -> None:
        while (left_s := (moment - (self._turned_back - turned_back) - self.now()).total_seconds()) > 0:
            try:
                async with asyncio.timeout(None if self.frozen else left_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
