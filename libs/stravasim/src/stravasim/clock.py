"""The one place where the simulator learns what time it is, and where it is told another."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

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
        self._changed = asyncio.Event()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """The simulated moment in UTC."""
        return self._frozen_at or self._along.now() + self._ahead

    def set(self, moment: datetime) -> None:
        """Show that moment now; a frozen clock stays frozen. Raises OverflowError beyond `EARLIEST` and `LATEST`."""
        self._show(moment, self.frozen)

    def advance(self, seconds: float) -> None:
        """Show a moment that is so much later. Raises OverflowError beyond `LATEST`."""
        self._show(self.now() + timedelta(seconds=seconds), self.frozen)

    def freeze(self, frozen: bool) -> None:
        """Stand still, or run on from the moment shown."""
        self._show(self.now(), frozen)

    def _show(self, moment: datetime, frozen: bool) -> None:
        if not EARLIEST <= moment <= LATEST:
            raise OverflowError(f"the clock shows moments from {EARLIEST.year} to {LATEST.year}")
        moment = moment.astimezone(UTC)
        self._frozen_at = moment if frozen else None
        self._ahead = moment - self._along.now()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, moment: datetime) -> None:
        """Return when the clock shows that moment or a later one, however it gets there."""
        while (left_s := (moment - self.now()).total_seconds()) > 0:
            try:
                async with asyncio.timeout(None if self.frozen else left_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
