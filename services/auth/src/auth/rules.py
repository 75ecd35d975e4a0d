"""Rules of Strava's OAuth: scopes, and what an answer means. Pure, without a clock, without IO."""

from collections.abc import Set
from enum import Enum, auto

REQUESTED_SCOPES = ("read", "activity:read", "activity:read_all")
#: Without it Strava sends no webhooks, even when `activity:read_all` lets it list everything.
NEEDED_SCOPE = "activity:read"


def parse_scopes(scope: str) -> tuple[str, ...]:
    """The granted scopes from the callback's comma-separated `scope`, sorted, each once."""
    return tuple(sorted({part.strip() for part in scope.replace(" ", ",").split(",")} - {""}))


def missing_scopes(granted: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes that were asked for and not granted, in the order of REQUESTED_SCOPES."""
    return tuple(scope for scope in REQUESTED_SCOPES if scope not in granted)


class Refusal(Enum):
    """What it means that Strava refuses a request."""

    CREDENTIAL_DEAD = auto()  # the code, the refresh token or the access token is of no use any more
    CAPACITY_REACHED = auto()
    MISCONFIGURED = auto()
    TRY_LATER = auto()


#: Strava's names for what may be dead: a code, a refresh token, an access token.
_CREDENTIALS = {"AuthorizationCode", "RequestToken", "RefreshToken", "Athlete", "AccessToken"}


def interpret_refusal(status: int, resources: Set[str], *, names_the_limit: bool) -> Refusal:
    """What an answer other than 200 means: `resources` are those that its body blames, as Strava names them.

    Only Strava's own words end a permission: the page of a proxy says nothing about an athlete.
    """
    if names_the_limit:
        return Refusal.CAPACITY_REACHED
    if status == 429 or status >= 500:
        return Refusal.TRY_LATER
    if "Application" in resources:
        return Refusal.MISCONFIGURED
    if status in (400, 401) and resources & _CREDENTIALS:
        return Refusal.CREDENTIAL_DEAD
    return Refusal.TRY_LATER
