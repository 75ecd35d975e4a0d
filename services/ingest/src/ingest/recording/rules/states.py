"""What becomes of an activity that Strava shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from ingest.recording.rules.listings import Listing
from ingest.recording.rules.mapping import PRIVATE, Activity, Rejected

State: TypeAlias = Literal["recorded", "rejected", "private", "removed"]


def decide_state(
    outcome: Activity | Rejected,
    fetch_seq: int,
    listings: Sequence[Listing],
    *,
    private_activities: bool,
    kept_from: datetime | None,
) -> tuple[State, str]:
    """The state and its reason, of what was mapped from that fetch.

    `listings` are those of its user, `private_activities` whether the user has private ones recorded, and `kept_from`
    the start before which nothing is kept.
    """
    # First, because of a private activity no start is kept that a later listing could be compared with.
    if isinstance(outcome, Activity) and outcome.visibility == PRIVATE and not private_activities:
        return "private", "private"
    # Nothing certain is known of what cannot be read, so that its start is taken for one that may be hidden.
    is_hidden = outcome.start_is_hidden if isinstance(outcome, Activity) else True
    if any(one.speaks_of(fetch_seq, outcome.start_at, start_is_hidden=is_hidden) for one in listings):
        return "removed", "not_listed"
    if kept_from is not None and outcome.start_at is not None and outcome.start_at < kept_from:
        return "removed", "expired"
    return ("recorded", "fetched") if isinstance(outcome, Activity) else ("rejected", "unreadable")
