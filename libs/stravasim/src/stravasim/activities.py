"""How Strava lists an athlete's activities: order, bounds, paging, visibility."""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stravasim.faults import Fault, bad_request

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 200
UNDATED = 0  # epoch seconds
_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One activity, ready to be served: start (epoch seconds), id, whether only its owner sees it, its JSON."""

    start: int
    id: int
    only_me: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries by ascending start and id, as two parallel arrays made for slicing."""

    starts: tuple[int, ...]
    bodies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ActivityLog:
    """One athlete's activities: all of them, and the part that `activity:read` may see; `size` in bytes."""

    entries: tuple[Entry, ...]
    everything: Listing
    shared: Listing
    size: int

    def find(self, activity_id: int) -> Entry | None:
        """The activity with that id."""
        return next((entry for entry in self.entries if entry.id == activity_id), None)

    def plus(self, entry: Entry) -> "ActivityLog":
        """The log with one more activity in its place."""
        entries = list(self.entries)
        insort(entries, entry)
        return log_of(entries)

    def without(self, activity_id: int) -> "ActivityLog":
        """The log without that activity."""
        return log_of(entry for entry in self.entries if entry.id != activity_id)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of one list call; `after` and `before` in epoch seconds."""

    after: int | None = None
    before: int | None = None
    page: int = 1
    per_page: int = DEFAULT_PER_PAGE


def log_of(entries: Iterable[Entry]) -> ActivityLog:
    """Sort entries by start, ties by id, into a log."""
    ordered = tuple(sorted(entries))
    everything = _listing(ordered)
    shared = tuple(entry for entry in ordered if not entry.only_me)
    size = sum(len(entry.body) for entry in ordered)
    return ActivityLog(ordered, everything, everything if len(shared) == len(ordered) else _listing(shared), size)


def _listing(entries: tuple[Entry, ...]) -> Listing:
    return Listing(tuple(entry.start for entry in entries), tuple(entry.body for entry in entries))


def start_of(activity: Mapping[str, object]) -> int:
    """The moment an activity is listed under, in epoch seconds.

    That is `start_date`; when it is missing or unreadable, `start_date_local` less `utc_offset` (0 when that
    is missing too); when neither can be read, 1970-01-01, so undated activities come last in newest-first order.
    """
    start = _epoch(activity.get("start_date"))
    if start is not None:
        return start
    local, offset = _epoch(activity.get("start_date_local")), activity.get("utc_offset")
    if local is None:
        return UNDATED
    return local - int(offset) if isinstance(offset, int | float) and abs(offset) < 90_000 else local


def _epoch(value: object) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def parse_query(parameters: Mapping[str, str]) -> ListQuery | Fault:
    """Read the list parameters, or say which one is wrong.

    Strava's documentation: page defaults to 1, per_page to 30 with 200 as its maximum. What Strava answers
    above the maximum is not known; here 200 are served. An empty `before` was reported to give 400, and so
    does every value that is no whole number, or a page or per_page below 1.
    """
    numbers: dict[str, int] = {}
    for name in ("after", "before", "page", "per_page"):
        text = parameters.get(name)
        if text is None:
            continue
        if _NUMBER.fullmatch(text) is None or (name.endswith("page") and int(text) < 1):
            return bad_request("Activity", name)
        numbers[name] = int(text)
    return ListQuery(
        after=numbers.get("after"),
        before=numbers.get("before"),
        page=numbers.get("page", 1),
        per_page=min(numbers.get("per_page", DEFAULT_PER_PAGE), MAX_PER_PAGE),
    )


def page_of(listing: Listing, query: ListQuery, *, short: bool = False) -> bytes:
    """One page as a JSON array, `[]` beyond the end.

    Recorded: newest first, unless `after` is given without `before`: then oldest first. Both bounds are
    exclusive here (not documented). With `short`, every page holds fewer items than asked, which Strava's
    documentation allows on any page; nothing is lost, and only the page after the last is empty.
    """
    low = 0 if query.after is None else bisect_right(listing.starts, query.after)
    high = len(listing.starts) if query.before is None else bisect_left(listing.starts, query.before)
    size = max(1, query.per_page - 1 - query.per_page // 10) if short else query.per_page
    skipped = (query.page - 1) * size
    if query.after is not None and query.before is None:
        first = low + skipped
        chosen = listing.bodies[first : min(first + size, high)]
    else:
        last = high - skipped
        chosen = listing.bodies[max(last - size, low) : max(last, low)][::-1]
    return b"[" + b",".join(chosen) + b"]"
