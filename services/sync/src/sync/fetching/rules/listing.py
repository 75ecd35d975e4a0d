"""Listing all activities of a time: which page to ask for next, and when nothing can be missing.

Strava cuts the activities between two bounds into pages and then drops what it hides. So a page may be short or empty
although more follow, and whatever is deleted while pages are read by number slides others past the reader. What can
be relied on is that a first page is one moment: newest first, nothing visible is missing between its upper bound and
its oldest item. So only first pages are asked for: each below the oldest start that was seen (`before`, overlapping
by it), or above the latest that was seen from the other end (`after` alone, which Strava answers oldest first). The
listing is complete when it reaches an activity that is older than `since`, or when both ends meet.

When neither end brings anything new, only what is hidden is left between them: a visible activity there would have a
whole page of hidden ones on either side, one after the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

MAX_PAGES = 1_000  # nobody has so many activities: a listing this long does not end


@dataclass(frozen=True)
class ListQuery:
    """The parameters of one request; `after` and `before` in epoch seconds, both exclusive."""

    after: int | None = None
    before: int | None = None

    def to_params(self, per_page: int) -> dict[str, int]:
        """The query of the request; Strava refuses empty parameters."""
        return {"per_page": per_page, **{name: value for name, value in vars(self).items() if value is not None}}


@dataclass(frozen=True)
class ListedItem:
    """One item of a page: its id, and between which epoch seconds it started as far as can be told; None if not.

    Strava shows a hidden start as the first second of its day, and may list the activity by the true one.
    """

    strava_id: int
    earliest_start: int | None
    latest_start: int | None


@dataclass(frozen=True)
class Listing:
    """How far a listing has got; a value that can be stored and continued by another worker.

    Everything visible that started after `low` is listed, and everything from `since` to before `high`; None before
    the first page from that end. An end that is `stuck` brought nothing new the last time.
    """

    since: int  # epoch seconds
    low: int | None = None
    high: int | None = None
    oldest_asked: bool = False
    newest_stuck: bool = False
    oldest_stuck: bool = False
    pages: int = 0
    is_ended: bool = False
    is_exact: bool = True  # false after more activities of one second than a page holds

    @property
    def is_complete(self) -> bool:
        """Whether everything visible since `since` has been listed."""
        return self.is_ended and self.is_exact

    @property
    def _asks_oldest(self) -> bool:
        # Once when the first page was not enough, since it mostly was all there is; then when the other end is stuck.
        return self.pages > 0 and (not self.oldest_asked or self.newest_stuck)

    def next_query(self) -> ListQuery | None:
        """What to ask for next; None at the end."""
        if self.is_ended:
            return None
        if self._asks_oldest:
            return ListQuery(after=max((self.since if self.high is None else self.high) - 1, 0))
        return ListQuery(before=None if self.low is None else self.low + 1)

    def after_page(self, items: Sequence[ListedItem], seen: Collection[int], *, is_full: bool) -> "Listing":
        """How far the listing is after the answer to `next_query`.

        `seen` are the ids of the pages before; `is_full` says whether there are as many items as a page may have.
        """
        advance = self._after_oldest if self._asks_oldest else self._after_newest
        after = advance([item for item in items if item.latest_start is not None], seen, is_full=is_full)
        after = replace(after, pages=self.pages + 1)
        if after.newest_stuck and after.oldest_stuck:
            after = replace(after, is_ended=True)
        if after.pages >= MAX_PAGES and not after.is_ended:
            after = replace(after, is_ended=True, is_exact=False)
        return after

    def _after_newest(self, items: Sequence[ListedItem], seen: Collection[int], *, is_full: bool) -> "Listing":
        low = min((item.latest_start for item in items if item.latest_start is not None), default=None)
        if low is None or (self.low is not None and low >= self.low):
            return replace(self, newest_stuck=True, is_exact=self.is_exact and not is_full)
        meets = low < self.since
        if self.high is not None:
            meets = meets or low < self.high or _is_any_seen(items, seen, at_most=self.high)
        return replace(self, low=low, is_ended=meets)

    def _after_oldest(self, items: Sequence[ListedItem], seen: Collection[int], *, is_full: bool) -> "Listing":
        high = max((item.earliest_start for item in items if item.earliest_start is not None), default=None)
        if high is None or (self.high is not None and high <= self.high):
            is_exact = self.is_exact and not is_full
            return replace(self, oldest_asked=True, oldest_stuck=True, is_exact=is_exact)
        meets = self.low is not None and (high > self.low or _is_any_seen(items, seen, at_least=self.low))
        return replace(self, oldest_asked=True, high=high, is_ended=meets)


def _is_any_seen(
    items: Sequence[ListedItem],
    seen: Collection[int],
    *,
    at_least: float = float("-inf"),
    at_most: float = float("inf"),
) -> bool:
    """Whether an item was seen from the other end, which alone has seen what started then."""
    return any(
        item.strava_id in seen
        for item in items
        if item.earliest_start is not None
        and item.latest_start is not None
        and item.earliest_start >= at_least
        and item.latest_start <= at_most
    )
