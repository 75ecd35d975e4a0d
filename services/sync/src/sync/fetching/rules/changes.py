"""What Strava's webhooks told of an athlete, and the fewest calls that find out: pure, without clock and IO."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: A listing this old is made anew when a call is due anyway: it costs the same, and shows what no webhook told.
FRESH_LISTING = timedelta(hours=20)
#: Strava may tell of an activity before it can be read; so long it is looked for again.
READABLE_WITHIN = timedelta(hours=1)
#: An activity whose reading fails so often is left to the next listing.
MAX_TRIES = 5
#: Calls for single activities in one run; a listing is cheaper for more.
MAX_DETAILS = 5
_RETRY_S = (60, 120, 300, 600, 1200)


@dataclass(frozen=True)
class Change:
    """All that is pending about one activity: what was told last, and whether its creation was told."""

    strava_id: int
    is_created: bool
    is_deleted: bool
    told_at: datetime  # the latest
    tries: int
    last_event_id: int


@dataclass(frozen=True)
class Plan:
    """Whether to list first, and which activities to ask for one by one."""

    lists: bool
    details: tuple[int, ...]


def plan_calls(changes: Mapping[int, Change], last_listed_at: datetime | None, now: datetime) -> Plan:
    """One change is one call for it, several are one listing; and so is one whose athlete is due for a listing."""
    if not changes:
        return Plan(lists=False, details=())
    is_listed = last_listed_at is not None and last_listed_at > now - FRESH_LISTING
    # What a listing did not show the last time is asked for itself.
    asked_for = [change.strava_id for change in changes.values() if change.tries]
    if len(changes) == 1 and (is_listed or asked_for):
        return Plan(lists=False, details=tuple(changes))
    if len(asked_for) == len(changes) <= MAX_DETAILS:
        return Plan(lists=False, details=tuple(changes))
    return Plan(lists=True, details=())


def left_after_listing(
    changes: Mapping[int, Change], listed: Collection[int], *, is_complete: bool
) -> tuple[list[int], list[int]]:
    """Activities that are gone, and those still to be asked for, after a listing that showed `listed`.

    What Strava says is deleted, and what a complete listing does not show, is gone.
    """
    missing = [change for change in changes.values() if change.strava_id not in listed]
    gone = [change.strava_id for change in missing if change.is_deleted and is_complete]
    return gone, [change.strava_id for change in missing if change.strava_id not in gone][:MAX_DETAILS]


def may_become_readable(change: Change, now: datetime) -> bool:
    """Whether an activity that Strava does not show was created just now; any other is gone."""
    return change.is_created and not change.is_deleted and change.told_at > now - READABLE_WITHIN


def is_given_up(change: Change) -> bool:
    """Whether Strava has failed so often to answer about an activity that it is left to the next listing."""
    return change.tries + 1 >= MAX_TRIES


def next_try_at(changes: Sequence[Change], now: datetime) -> datetime:
    """When those that could not be read are looked for again."""
    tries = min((change.tries for change in changes), default=0)
    return now + timedelta(seconds=_RETRY_S[min(tries, len(_RETRY_S) - 1)])
