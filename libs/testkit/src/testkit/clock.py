"""A clock that tests set."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class ManualClock:
    """Stands still until it is set; starts at the present."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """The time that it shows, in UTC."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Move it forward, or back if negative."""
        self.moment += timedelta(seconds=seconds)
