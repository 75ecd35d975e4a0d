"""The one place where the simulator learns what time it is."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that can say what time it is; tests pass one they can turn by hand."""

    def now(self) -> datetime:
        """The current moment, with a time zone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment in UTC."""
        return datetime.now(UTC)
