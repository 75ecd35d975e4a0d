"""When a job is due, and before which others: pure, without a clock, without IO."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["join"]

#: The lower, the sooner.
PRIORITIES: dict[Kind, int] = {"join": 30}
MAX_ATTEMPTS = 8
#: After which signing in again is reason enough to list everything once more.
OLD_LISTING = timedelta(days=1)
_BACKOFF_S = (10, 60, 300, 900, 3600)


def needs_listing(
    last_listed_at: datetime | None, authorized_at: datetime, now: datetime, *, sees_more: bool, was_lost: bool
) -> bool:
    """Whether an athlete who signed in at `authorized_at` has to be listed.

    Signing in again is not joining again: it is for those who were never listed, not for long, or not since the
    permission covers more (`sees_more`) or had been lost.
    """
    if last_listed_at is None or last_listed_at < now - OLD_LISTING:
        return True
    return (sees_more or was_lost) and last_listed_at < authorized_at


def is_given_up(attempts: int) -> bool:
    """Whether a job that is claimed for the so manieth time has cost enough workers their lives."""
    return attempts > MAX_ATTEMPTS


def next_calls_at(now: datetime, *, day_is_spent: bool) -> datetime:
    """When Strava allows calls again. `now` is in UTC."""
    return next_daily_reset(now) if day_is_spent else next_quarter_reset(now)


def next_quarter_reset(now: datetime) -> datetime:
    """When Strava's quarter-hour limit starts anew: at :00, :15, :30 or :45, with a second to spare."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    return quarter + timedelta(minutes=15, seconds=1)


def next_daily_reset(now: datetime) -> datetime:
    """When Strava's daily limit starts anew: at midnight UTC, with a second to spare. `now` is in UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1, seconds=1)


def retry_at(now: datetime, attempts: int, jitter: float) -> datetime | None:
    """When a job that failed `attempts` times goes on, with `jitter` from 0 to 1; None when it is given up."""
    if attempts >= MAX_ATTEMPTS:
        return None
    wait_s = _BACKOFF_S[min(attempts - 1, len(_BACKOFF_S) - 1)]
    return now + timedelta(seconds=wait_s * (1 + jitter / 2))
