"""What a complete listing says about activities that it does not name."""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Whether Strava's bounds are inclusive is not documented.
EDGE = timedelta(minutes=1)
#: A hidden start is shown as the first second of its local day, in UTC: it may be as much earlier, where clocks are
#: ahead of UTC, and later by a day where they are behind.
HIDDEN_EARLIER = timedelta(hours=14)
HIDDEN_LATER = timedelta(hours=36)


@dataclass(frozen=True)
class Listing:
    """A complete listing of what Strava shows from `since` to `until`; `since` None means from the beginning."""

    fetch_seq: int
    since: datetime | None
    until: datetime

    def bounds(self, *, start_is_hidden: bool) -> tuple[datetime | None, datetime]:
        """Between which starts it would name whatever Strava has; None means from the beginning."""
        earlier, later = (HIDDEN_EARLIER, HIDDEN_LATER) if start_is_hidden else (EDGE, EDGE)
        return None if self.since is None else self.since + earlier, self.until - later

    def speaks_of(self, fetch_seq: int, start_at: datetime | None, *, start_is_hidden: bool) -> bool:
        """Whether it is newer than that fetch, and would name an activity with that start if Strava had it.

        Of one without a start, nothing but a listing from the beginning says anything.
        """
        if self.fetch_seq <= fetch_seq:
            return False
        if start_at is None:
            return self.since is None
        first, last = self.bounds(start_is_hidden=start_is_hidden)
        return (first is None or start_at >= first) and start_at <= last
