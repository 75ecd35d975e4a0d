"""When a revocation is tried again, and when it is given up: pure, without a clock, without IO."""

from datetime import datetime, timedelta

#: Strava wants a permission that is not used any more to be ended within this time.
GIVE_UP_AFTER = timedelta(days=30)
#: A sign-in compares itself with the revocations before it, for at least as long as a code lives.
KEPT_AFTER_END = timedelta(hours=1)
_BACKOFF_S = (2, 10, 60, 300, 900, 3600)


def retry_at(now: datetime, attempts: int) -> datetime:
    """When a revocation that failed `attempts` times, at least once, is tried again."""
    return now + timedelta(seconds=_BACKOFF_S[min(attempts, len(_BACKOFF_S)) - 1])
