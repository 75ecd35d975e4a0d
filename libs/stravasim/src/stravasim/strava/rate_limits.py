"""Strava's rate limits: counting of requests, windows, response headers."""

import re
from dataclasses import dataclass

from stravasim.strava.errors import OVERALL_RATE_LIMITED, RATE_LIMITED, ApiError

Headers = list[tuple[bytes, bytes]]

QUARTER_HOUR = 900  # seconds
DAY = 86_400  # seconds
_FOUR_NUMBERS = re.compile(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests allowed per quarter hour and per UTC day, for all requests and for reads.

    The defaults are those of a new application in Strava's documentation.
    """

    overall_quarter: int = 200
    overall_day: int = 2_000
    read_quarter: int = 100
    read_day: int = 1_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests counted in the current quarter hour and UTC day: all, and the reads among them."""

    window: int = -1
    day: int = -1
    overall_quarter: int = 0
    overall_day: int = 0
    read_quarter: int = 0
    read_day: int = 0


def parse_limits(text: str) -> Limits:
    """Parse `overall15,overallday,read15,readday`, four integers without spaces.

    Raises ValueError, with a message for the user, when the text has any other form.
    """
    match = _FOUR_NUMBERS.fullmatch(text)
    if match is None:
        raise ValueError(f"limits must be four whole numbers, overall15,overallday,read15,readday, not {text!r}")
    return Limits(*map(int, match.groups()))


def roll_windows(usage: Usage, now: float) -> Usage:
    """The usage at `now` (epoch seconds): counters of windows that have ended are reset.

    Strava's documentation: the short window ends at :00, :15, :30 and :45, the day at 00:00 UTC.
    """
    window, day = int(now // QUARTER_HOUR), int(now // DAY)
    if usage.window == window and usage.day == day:
        return usage
    same_window, same_day = usage.window == window, usage.day == day
    return Usage(
        window=window,
        day=day,
        overall_quarter=usage.overall_quarter if same_window else 0,
        overall_day=usage.overall_day if same_day else 0,
        read_quarter=usage.read_quarter if same_window else 0,
        read_day=usage.read_day if same_day else 0,
    )


def count_request(usage: Usage, limits: Limits, now: float, *, read: bool = True) -> tuple[Usage, ApiError | None]:
    """Count one request at `now` (epoch seconds): the new usage, and the 429 if the request is over a limit.

    Recorded: the usage includes the current request, the request that reaches the limit is still answered, and
    refused requests are counted, so usage may exceed its limit. Creating an activity is not a read.
    """
    before = roll_windows(usage, now)
    after = Usage(
        before.window,
        before.day,
        before.overall_quarter + 1,
        before.overall_day + 1,
        before.read_quarter + read,
        before.read_day + read,
    )
    if read and (after.read_quarter > limits.read_quarter or after.read_day > limits.read_day):
        return after, RATE_LIMITED
    if after.overall_quarter > limits.overall_quarter or after.overall_day > limits.overall_day:
        return after, OVERALL_RATE_LIMITED
    return after, None


def build_headers(usage: Usage, limits: Limits, *, read: bool = True) -> Headers:
    """The four rate-limit headers, with the recorded upper and lower case.

    Recorded for a request that is not a read: `X-Readratelimit-Usage: ,`, both numbers empty.
    """
    return [
        (b"X-Ratelimit-Limit", b"%d,%d" % (limits.overall_quarter, limits.overall_day)),
        (b"X-Ratelimit-Usage", b"%d,%d" % (usage.overall_quarter, usage.overall_day)),
        (b"X-Readratelimit-Limit", b"%d,%d" % (limits.read_quarter, limits.read_day)),
        (b"X-Readratelimit-Usage", b"%d,%d" % (usage.read_quarter, usage.read_day) if read else b","),
    ]
