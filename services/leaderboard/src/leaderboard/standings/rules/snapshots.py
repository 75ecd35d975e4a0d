"""When places are written down, to show who moved since."""

from datetime import date, datetime

from leaderboard.challenges.rules import Scheduled, is_running, local_day

KEPT_PLACES_DAYS = 7


def is_snapshot_due(challenge: Scheduled, placed_on: date | None, now: datetime) -> bool:
    """Whether there is something to do: a day of the challenge began, or the places of its last days are to go."""
    today = local_day(challenge, now)
    if is_running(challenge, today):
        return placed_on != today
    return placed_on is not None and (today - placed_on).days > KEPT_PLACES_DAYS
