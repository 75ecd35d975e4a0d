"""When people expire: pure, without a clock, without IO."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leaderboard.challenges.rules import Scheduled

RETENTION_DAYS = 90  # after the last day of the last challenge, and after an authorization


def find_expiry(challenges: Sequence[Scheduled], now: datetime) -> datetime | None:
    """The moment before which those last authorized who expire; None while a challenge keeps everybody.

    A challenge that is open, upcoming or ended at most RETENTION_DAYS ago, by the day where it takes place, does. As
    long as there was no challenge at all, people wait for the first one.
    """
    if not challenges or any(_days_since(challenge, now) <= RETENTION_DAYS for challenge in challenges):
        return None
    return now - timedelta(days=RETENTION_DAYS)


def _days_since(challenge: Scheduled, now: datetime) -> int:
    return (now.astimezone(ZoneInfo(challenge.time_zone)).date() - challenge.last_day).days
