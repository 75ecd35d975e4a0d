"""When people expire: pure, without a clock, without IO."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from leaderboard.challenges.rules import RETENTION_DAYS, Scheduled, days_since_end


def find_expiry(challenges: Sequence[Scheduled], now: datetime) -> datetime | None:
    """The moment before which those last authorized who expire; None while a challenge keeps everybody.

    A challenge that is open, upcoming or ended at most RETENTION_DAYS ago, by the day where it takes place, does. As
    long as there was no challenge at all, people wait for the first one.
    """
    if not challenges or any(days_since_end(challenge, now) <= RETENTION_DAYS for challenge in challenges):
        return None
    return now - timedelta(days=RETENTION_DAYS)
