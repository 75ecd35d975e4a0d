"""The simulated clock: follows the system clock until it is set, advanced or frozen."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Arithmetic with datetimes and time zones overflows near `datetime.min` and `datetime.max`.
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A source of the current time; tests pass one that they set."""

    def now(self) -> datetime:
        """The current time, with a time zone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A simulated moment, and by how much the clock had been set back in total when the deadline was computed."""

    moment: datetime
    set_back: timedelta


class SimulatedClock:
    """A clock with an adjustable offset to another one."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._offset = timedelta()
        self._frozen_at: datetime | None = None
        self._set_back = timedelta()
        self._changed = asyncio.Event()

    @property
    def frozen(self) -> bool:
        """Whether time is stopped."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """The simulated time in UTC."""
        return self._frozen_at or self._base.now() + self._offset

    def set(self, *, to: datetime | None = None, advance_s: float = 0, frozen: bool | None = None) -> None:
        """Set the time to `to` (default: unchanged), then advance it by `advance_s`; `frozen` None keeps the state.

        Raises OverflowError, and changes nothing, when the result is outside `EARLIEST` to `LATEST`.
        """
        before = self.now()
        moment = before
        if to is not None or advance_s:
            moment = (to or before) + timedelta(seconds=advance_s)
            if not EARLIEST <= moment <= LATEST:
                raise OverflowError(f"the clock can be set from {EARLIEST.year} to {LATEST.year}")
            moment = moment.astimezone(UTC)
        self._frozen_at = moment if (self.frozen if frozen is None else frozen) else None
        self._offset = moment - self._base.now()
        self._set_back += max(before - moment, timedelta())
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def deadline(self, seconds: float) -> Deadline:
        """The moment that is that many simulated seconds from now."""
        return Deadline(self.now() + timedelta(seconds=seconds), self._set_back)

    async def sleep_until(self, deadline: Deadline) -> None:
        """Wait for a deadline: advancing the clock shortens the wait, setting it back does not lengthen it."""
        while (left_s := self._seconds_left(deadline)) > 0:
            try:
                async with asyncio.timeout(None if self.frozen else left_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _seconds_left(self, deadline: Deadline) -> float:
        set_back_since = self._set_back - deadline.set_back
        return (deadline.moment - set_back_since - self.now()).total_seconds()
