"""Rules about people: names, and when a report of Strava's is worth a look. Pure, without a clock, without IO."""

import unicodedata
from datetime import datetime, timedelta

MAX_NAME = 80  # characters
#: Strava's clock and ours may differ, and its times have whole seconds.
_CLOCK_TOLERANCE = timedelta(minutes=1)
_CHECK_BACKOFF_S = (30, 60, 300, 900, 3600)


def default_display_name(firstname: str | None, lastname: str | None) -> str:
    """First name and initial ("Anna K."), at most 80 characters; what is missing is left out."""
    first, initial = _printable(firstname or ""), _printable(lastname or "")[:1]
    name = " ".join(part for part in (first, f"{initial}." if initial else "") if part)
    return name[:MAX_NAME].strip() or "Athlete"


def clean_display_name(text: str) -> str | None:
    """The name as it is stored: normalised (NFC), without control characters, single spaces.

    None when nothing is left or more than 80 characters are.
    """
    name = _printable(text)
    return name if 1 <= len(name) <= MAX_NAME else None


def _printable(text: str) -> str:
    """Without control characters, which no page shows and Postgres refuses, and without repeated spaces."""
    words = "".join(one if one.isprintable() else " " if one.isspace() else "" for one in text).split()
    return unicodedata.normalize("NFC", " ".join(words))


def is_current_report(event_time: datetime, authorized_at: datetime) -> bool:
    """Whether a report that the permission ended is about the latest permission, and not about an earlier one."""
    return event_time >= authorized_at - _CLOCK_TOLERANCE


def next_check_at(now: datetime, attempts: int) -> datetime:
    """When a deauthorization is checked again that was tried `attempts` times, at least once."""
    return now + timedelta(seconds=_CHECK_BACKOFF_S[min(attempts, len(_CHECK_BACKOFF_S)) - 1])
