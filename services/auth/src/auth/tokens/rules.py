"""When an access token is refreshed: pure, without a clock, without IO."""

from datetime import datetime, timedelta
from enum import Enum, auto

#: Strava hands out the same access token again while it has more than this left, so asking earlier gains nothing.
REFRESH_BEFORE_EXPIRY = timedelta(hours=1)

#: A token with less left than this may expire on its way to Strava.
NEEDED_LIFE = timedelta(minutes=1)

#: A token this young is what Strava gave when it was last asked; asking again would give the same.
YOUNG = timedelta(minutes=1)


class Decision(Enum):
    """What to do about an access token that is asked for."""

    USE = auto()
    REFRESH_IF_POSSIBLE = auto()  # else the one that is there will do
    REFRESH = auto()


def decide(expires_at: datetime, refreshed_at: datetime, now: datetime, *, refused: bool) -> Decision:
    """What to do about a token that was issued at `refreshed_at`; `refused` when Strava did not accept it."""
    left = expires_at - now
    if left <= NEEDED_LIFE:
        return Decision.REFRESH
    if refused:
        return Decision.USE if now - refreshed_at < YOUNG else Decision.REFRESH
    return Decision.REFRESH_IF_POSSIBLE if left <= REFRESH_BEFORE_EXPIRY else Decision.USE
