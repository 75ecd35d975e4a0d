"""When a job is due, and before which others: pure, without a clock, without IO."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["webhook", "join", "manual", "nightly"]

#: The lower, the sooner.
PRIORITIES: Mapping[Kind, int] = {"webhook": 20, "join": 30, "manual": 40, "nightly": 50}
#: The share of each window that a kind leaves to those before it, at the window's beginning.
RESERVES: Mapping[Kind, float] = {"webhook": 0.0, "join": 0.1, "manual": 0.2, "nightly": 0.5}
#: These list everything that a challenge needs, so that one of them does for all.
LISTING_KINDS: tuple[Kind, ...] = ("join", "manual", "nightly")

MAX_ATTEMPTS = 8
#: After which signing in again is reason enough to list everything once more.
OLD_LISTING = timedelta(days=1)
#: How often a participant may have their activities fetched by hand.
MANUAL_INTERVAL = timedelta(minutes=5)
#: A job that no worker has taken so long after its release is released again: its message may be lost.
RELEASE_TIMEOUT = timedelta(minutes=5)
#: What Strava tells of can be read a moment later, and often more follows at once.
WEBHOOK_WAIT = timedelta(seconds=90)
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


def may_sync_by_hand(last_listed_at: datetime | None, now: datetime) -> bool:
    """Whether a participant's wish for a fetch is granted, or was just done."""
    return last_listed_at is None or last_listed_at <= now - MANUAL_INTERVAL


def next_webhook_run_at(now: datetime, last_fetched_at: datetime | None, freshness: timedelta) -> datetime:
    """When what Strava told just now is looked at, together with what it tells until then.

    It is to be known within `freshness`, so changes that come sooner after a fetch are fetched together; a tenth of
    that time is left for the fetch.
    """
    soon = now + min(WEBHOOK_WAIT, freshness * 0.15)
    return soon if last_fetched_at is None else max(soon, last_fetched_at + freshness * 0.9)


def is_given_up(attempts: int) -> bool:
    """Whether a job that is claimed for the so manieth time has cost enough workers their lives."""
    return attempts > MAX_ATTEMPTS


def retry_at(now: datetime, attempts: int, jitter: float) -> datetime | None:
    """When a job that failed `attempts` times goes on, with `jitter` from 0 to 1; None when it is given up."""
    if attempts >= MAX_ATTEMPTS:
        return None
    wait_s = _BACKOFF_S[min(attempts - 1, len(_BACKOFF_S) - 1)]
    return now + timedelta(seconds=wait_s * (1 + jitter / 2))
