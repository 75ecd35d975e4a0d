"""How Strava lists an athlete's activities: order, bounds, paging, visibility."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from operator import neg

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
class ActivityLog:
    """One athlete's activities, newest first: the text of all, each with a comma after it, and where each begins.

    A page is so one piece of the text, and an activity costs no Python object. `ends` are offsets behind the comma.
    """

    starts: "array[int]"
    ids: "array[int]"
    hidden: bytes
    ends: "array[int]"
    text: bytes

    def __len__(self) -> int:
        """How many activities there are."""
        return len(self.ids)

    @property
    def size(self) -> int:
        """Bytes of memory, nearly."""
        return len(self.text) + 25 * len(self.ids)

    @property
    def entries(self) -> list[Entry]:
        """Every activity by itself, in order."""
        return [self.at(place) for place in range(len(self))]

    def at(self, place: int) -> Entry:
        """The activity in that place, the newest being in place 0."""
        return Entry(self.starts[place], self.ids[place], bool(self.hidden[place]), self.body(place))

    def body(self, place: int) -> bytes:
        """The JSON of the activity in that place."""
        return self.text[self.ends[place - 1] if place else 0 : self.ends[place] - 1]

    def find(self, activity_id: int) -> Entry | None:
        """The activity with that id."""
        try:
            return self.at(self.ids.index(activity_id))
        except (ValueError, OverflowError):
            return None

    def plus(self, entry: Entry) -> "ActivityLog":
        """The log with one more activity in its place."""
        return log_of([*self.entries, entry])

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
    ordered = sorted(entries, reverse=True)
    return ActivityLog(
        array("q", (entry.start for entry in ordered)),
        array("q", (entry.id for entry in ordered)),
        bytes(entry.only_me for entry in ordered),
        array("q", accumulate(len(entry.body) + 1 for entry in ordered)),
        b"".join(part for entry in ordered for part in (entry.body, b",")),
    )


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


def page_of(
    log: ActivityLog,
    query: ListQuery,
    *,
    private: bool = True,
    short: bool = False,
    unlisted: Collection[int] = (),
) -> bytes:
    """One page as a JSON array, `[]` beyond the end.

    Recorded: newest first, unless `after` is given without `before`: then oldest first. Both bounds are
    exclusive here (not documented). Without `private`, and of the ids in `unlisted`, nothing is seen. With `short`,
    every page holds fewer items than asked, which Strava's documentation allows on any page; nothing is lost, and
    only the page after the last is empty.
    """
    places: Sequence[int] = _places_between(log, query)
    if unlisted or (not private and any(log.hidden)):
        places = [place for place in places if (private or not log.hidden[place]) and log.ids[place] not in unlisted]
    size = max(1, query.per_page - 1 - query.per_page // 10) if short else query.per_page
    if query.after is not None and query.before is None:
        places = places[::-1]
    skipped = (query.page - 1) * size
    chosen = places[skipped : skipped + size]
    if isinstance(chosen, range) and chosen.step == 1 and chosen:
        first = log.ends[chosen[0] - 1] if chosen[0] else 0
        return b"[%b]" % log.text[first : log.ends[chosen[-1]] - 1]
    return b"[%b]" % b",".join(map(log.body, chosen))


def _places_between(log: ActivityLog, query: ListQuery) -> range:
    first = 0 if query.before is None else bisect_right(log.starts, -query.before, key=neg)
    end = len(log) if query.after is None else bisect_left(log.starts, -query.after, key=neg)
    return range(first, max(first, end))
