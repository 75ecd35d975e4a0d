"""The nightly run: when it is due, and who is listed: pure, without a clock, without IO."""

import math
from datetime import date, datetime, time, timedelta, tzinfo

NIGHTLY_AT = time(0, 5)
#: While webhooks tell of nothing, a listing is repeated every night; not if it was made since the evening.
UNWATCHED_AGE = timedelta(hours=12)


def due_date(now: datetime, zone: tzinfo) -> date:
    """The local date whose run is the latest that is due: it begins at 00:05 by the clock there.

    That time exists once on every day in Warsaw, also when the clocks change. Nights that were missed are not made
    up for one by one: the latest finds all of their changes.
    """
    local = now.astimezone(zone)
    return local.date() if local.time() >= NIGHTLY_AT else local.date() - timedelta(days=1)


def listed_before(
    now: datetime, gap_ended_at: datetime | None, relist_days: int, *, webhooks_healthy: bool
) -> datetime:
    """Whose last listing began before this is listed this night.

    While webhooks tell of what changes, each athlete is listed once in `relist_days`, and once after a gap in which
    they may have told in vain, which ended at `gap_ended_at`; else every night.
    """
    if not webhooks_healthy or gap_ended_at is None:
        return now - UNWATCHED_AGE
    return max(gap_ended_at, now - timedelta(days=relist_days))


def most_listings(athletes: int, day_limit: int, reserve: float, relist_days: int, *, rotates: bool) -> int:
    """For how many athletes a job is opened this night; the others are first the next night.

    That is what a day's calls allow, without the share `reserve` that is for more urgent ones. While athletes are
    listed in rotation, it is not many more than their share of a night, so that those who joined on one day are not
    listed on one day for ever.
    """
    most = max(1, int(day_limit * (1 - reserve)))
    return min(most, math.ceil(2 * athletes / relist_days)) if rotates else most
