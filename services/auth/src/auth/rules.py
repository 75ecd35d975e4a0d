"""Rules of signing in: scopes, names, when a token is due."""

from datetime import datetime, timedelta

REQUESTED_SCOPES = ("read", "activity:read", "activity:read_all")
#: Without it Strava lists nothing and sends no webhooks.
NEEDED_SCOPE = "activity:read"

#: Strava hands out the same access token again while it has more than this left, so asking earlier gains nothing.
REFRESH_BEFORE_EXPIRY = timedelta(hours=1)

#: A token with less left than this may expire on its way to Strava.
NEEDED_LIFE = timedelta(minutes=1)


def parse_scopes(scope: str) -> tuple[str, ...]:
    """The granted scopes from the callback's comma-separated `scope`, sorted, each once."""
    return tuple(sorted({part.strip() for part in scope.replace(" ", ",").split(",")} - {""}))


def may_read_activities(scopes: tuple[str, ...]) -> bool:
    """Whether Strava will list this athlete's activities to us."""
    return NEEDED_SCOPE in scopes or f"{NEEDED_SCOPE}_all" in scopes


def default_display_name(firstname: str | None, lastname: str | None) -> str:
    """First name and initial ("Anna K."), at most 80 characters; what is missing is left out."""
    first = _printable(firstname)
    initial = _printable(lastname)[:1]
    name = " ".join(part for part in (first, f"{initial}." if initial else "") if part)
    return name[:80] or "Athlete"


def _printable(text: str | None) -> str:
    """Without control characters, which no page shows and Postgres refuses."""
    return "".join(character for character in text or "" if character.isprintable()).strip()


def needs_refresh(expires_at: datetime, now: datetime) -> bool:
    """Whether an access token should be refreshed before it is used."""
    return expires_at - now <= REFRESH_BEFORE_EXPIRY


def is_valid(expires_at: datetime, now: datetime) -> bool:
    """Whether an access token will still be accepted when it gets to Strava."""
    return expires_at - now > NEEDED_LIFE
