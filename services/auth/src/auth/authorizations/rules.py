"""Rules of signing in: what is new about it. Pure, without a clock, without IO."""

from dataclasses import dataclass
from datetime import timedelta

AUTHORIZATION_LIMIT = timedelta(minutes=15)  # from the way to Strava until the way back


@dataclass(frozen=True)
class Known:
    """What is on record of an athlete who was here before."""

    is_authorized: bool
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """What an authorization changes."""

    first_time: bool
    scopes_gained: tuple[str, ...]
    access_regained: bool


def describe_change(known: Known | None, granted: tuple[str, ...]) -> Change:
    """Compare an authorization with what was there; all of it is new for somebody unknown."""
    if known is None:
        return Change(first_time=True, scopes_gained=granted, access_regained=False)
    gained = tuple(scope for scope in granted if scope not in known.scopes)
    return Change(first_time=False, scopes_gained=gained, access_regained=not known.is_authorized)
