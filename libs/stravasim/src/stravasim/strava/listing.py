"""How Strava lists an athlete's activities: order, bounds, paging, visibility."""

import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from operator import neg
from typing import TypeGuard

from stravasim.strava.errors import ApiError, bad_request

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 200
MAX_ID = 2**63 - 1
UNDATED = 0  # epoch seconds
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True, order=True)
class ActivityEntry:
    """One activity, ready to be served: start (epoch seconds), id, whether only its owner sees it, its JSON."""

    start: int
    id: int
    only_me: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class ActivityIndex:
    """One athlete's activities, newest first, with the JSON of all in one `text`, a comma after each.

    So a page is a slice of the text, and an activity needs no Python object. `ends[i]` is the offset behind the
    comma of activity i.
    """

    starts: "array[int]"
    ids: "array[int]"
    only_me: bytes
    ends: "array[int]"
    text: bytes

    def __len__(self) -> int:
        """The number of activities."""
        return len(self.ids)

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return len(self.text) + 25 * len(self.ids)

    @property
    def entries(self) -> list[ActivityEntry]:
        """All activities, newest first."""
        return [self.entry_at(position) for position in range(len(self))]

    def entry_at(self, position: int) -> ActivityEntry:
        """The activity at a position; 0 is the newest."""
        return ActivityEntry(
            self.starts[position], self.ids[position], bool(self.only_me[position]), self.body_at(position)
        )

    def body_at(self, position: int) -> bytes:
        """The JSON of the activity at a position."""
        return self.text[self.ends[position - 1] if position else 0 : self.ends[position] - 1]

    def find(self, activity_id: int) -> ActivityEntry | None:
        """The activity with that id, or None."""
        try:
            return self.entry_at(self.ids.index(activity_id))
        except (ValueError, OverflowError):
            return None

    def with_entry(self, entry: ActivityEntry) -> "ActivityIndex":
        """A copy with one more activity."""
        return build_index([*self.entries, entry])

    def without(self, activity_id: int) -> "ActivityIndex":
        """A copy without that activity."""
        return build_index(entry for entry in self.entries if entry.id != activity_id)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list request; `after` and `before` in epoch seconds."""

    after: int | None = None
    before: int | None = None
    page: int = 1
    per_page: int = DEFAULT_PER_PAGE


def build_index(entries: Iterable[ActivityEntry]) -> ActivityIndex:
    """Sort entries by start, then by id, newest first."""
    ordered = sorted(entries, reverse=True)
    return ActivityIndex(
        array("q", (entry.start for entry in ordered)),
        array("q", (entry.id for entry in ordered)),
        bytes(entry.only_me for entry in ordered),
        array("q", accumulate(len(entry.body) + 1 for entry in ordered)),
        b"".join(part for entry in ordered for part in (entry.body, b",")),
    )


def build_entry(activity: Mapping[str, object]) -> ActivityEntry:
    """A SummaryActivity with its JSON; ValueError when its id is invalid or it cannot be written as JSON."""
    activity_id = activity["id"]
    if not is_activity_id(activity_id):
        raise ValueError(f"id must be an integer from 1 to {MAX_ID}")
    body = _ENCODER.encode(activity).encode()
    return ActivityEntry(listing_start(activity), activity_id, is_private(activity), body)


def is_activity_id(value: object) -> TypeGuard[int]:
    """Whether the value is a valid activity id: an integer from 1 to `MAX_ID`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ID


def is_private(activity: Mapping[str, object]) -> bool:
    """Whether only its owner may see an activity: `visibility` only_me, or `private` true."""
    return activity.get("visibility") == "only_me" or activity.get("private") is True


def listing_start(activity: Mapping[str, object]) -> int:
    """The start by which an activity is listed, in epoch seconds.

    That is `start_date`; when it is missing or unreadable, `start_date_local` less `utc_offset` (0 when that
    is missing too); when neither can be read, 1970-01-01, so undated activities come last in newest-first order.
    """
    start = _parse_epoch(activity.get("start_date"))
    if start is not None:
        return start
    local, offset = _parse_epoch(activity.get("start_date_local")), activity.get("utc_offset")
    if local is None:
        return UNDATED
    return local - int(offset) if isinstance(offset, int | float) and abs(offset) < 90_000 else local


def _parse_epoch(value: object) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def parse_list_query(parameters: Mapping[str, str]) -> ListQuery | ApiError:
    """The parameters of a list request, or the error that names the first invalid one.

    Strava's documentation: page defaults to 1, per_page to 30 with 200 as its maximum. How Strava answers above
    the maximum is not known; here 200 are served. An empty `before` was reported to give 400, and so does every
    value that is not an integer, or a page or per_page below 1.
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


def render_page(
    index: ActivityIndex,
    query: ListQuery,
    *,
    private: bool = True,
    short: bool = False,
    hides_late: bool = False,
    unlisted: Collection[int] = (),
) -> bytes:
    """One page as a JSON array, `[]` beyond the last.

    Recorded: newest first, unless `after` is given without `before`: then oldest first. Both bounds are
    exclusive here (not documented). Private activities are left out without `private`, and those with an id in
    `unlisted`. With `short`, every page has fewer items than requested, which Strava's documentation allows on any
    page; no activity is skipped, and only the page after the last is empty. With `hides_late`, what is left out is
    left out after the pages were cut: then a page may be short or empty although others follow.
    """
    positions: Sequence[int] = _positions_between(index, query)
    hides = bool(unlisted) or (not private and any(index.only_me))

    def without_hidden(chosen: Sequence[int]) -> Sequence[int]:
        return [
            position
            for position in chosen
            if (private or not index.only_me[position]) and index.ids[position] not in unlisted
        ]

    if hides and not hides_late:
        positions = without_hidden(positions)
    size = max(1, query.per_page - 1 - query.per_page // 10) if short else query.per_page
    if query.after is not None and query.before is None:
        positions = positions[::-1]
    skipped = (query.page - 1) * size
    chosen = positions[skipped : skipped + size]
    if hides and hides_late:
        chosen = without_hidden(chosen)
    if isinstance(chosen, range) and chosen.step == 1 and chosen:
        first = index.ends[chosen[0] - 1] if chosen[0] else 0
        return b"[%b]" % index.text[first : index.ends[chosen[-1]] - 1]
    return b"[%b]" % b",".join(map(index.body_at, chosen))


def _positions_between(index: ActivityIndex, query: ListQuery) -> range:
    first = 0 if query.before is None else bisect_right(index.starts, -query.before, key=neg)
    end = len(index) if query.after is None else bisect_left(index.starts, -query.after, key=neg)
    return range(first, max(first, end))
