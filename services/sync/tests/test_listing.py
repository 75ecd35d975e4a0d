"""Listings against a model: whatever happens while they are made, what is called complete is complete."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stravasim.strava.listing import ActivityEntry, build_index, render_page
from stravasim.strava.listing import ListQuery as SimulatedQuery
from sync.fetching.rules.listing import MAX_PAGES, ListedItem, Listing, ListQuery

SINCE = 100


@dataclass(frozen=True)
class Stored:
    """An activity at the model's Strava."""

    strava_id: int
    start: int
    is_hidden: bool = False


class ModelStrava:
    """The simulator's own pages over some activities; what is hidden is dropped after the pages were cut."""

    def __init__(self, activities: Iterable[Stored], per_page: int) -> None:
        self.activities = {one.strava_id: one for one in activities}
        self.per_page = per_page
        self.calls = 0

    def page(self, query: ListQuery) -> list[ListedItem]:
        self.calls += 1
        index = build_index(self.entries())
        simulated = SimulatedQuery(query.after, query.before, per_page=self.per_page)
        hidden = {one.strava_id for one in self.activities.values() if one.is_hidden}
        ids = json.loads(render_page(index, simulated, unlisted=hidden, hides_late=True))
        return [ListedItem(each, self.activities[each].start, self.activities[each].start) for each in ids]

    def entries(self) -> list[ActivityEntry]:
        return [
            ActivityEntry(one.start, one.strava_id, only_me=False, body=b"%d" % one.strava_id)
            for one in self.activities.values()
        ]

    def visible(self) -> set[int]:
        return {one.strava_id for one in self.activities.values() if not one.is_hidden and one.start >= SINCE}


def advance(strava: ModelStrava, listing: Listing, seen: set[int]) -> Listing:
    query = listing.next_query()
    assert query is not None
    items = strava.page(query)
    listing = listing.after_page(items, seen, is_full=len(items) >= strava.per_page)
    seen |= {item.strava_id for item in items if item.earliest_start is not None and item.earliest_start >= SINCE}
    return listing


def list_all(strava: ModelStrava) -> tuple[Listing, set[int]]:
    listing, seen = Listing(SINCE), set[int]()
    while not listing.is_ended:
        listing = advance(strava, listing, seen)
    return listing, seen


ACTIVITIES = st.lists(st.tuples(st.integers(80, 140), st.booleans()), max_size=25).map(
    lambda drawn: [Stored(number, start, hidden) for number, (start, hidden) in enumerate(drawn, start=1)]
)


def longest_hidden_run(activities: Iterable[Stored]) -> int:
    longest = run = 0
    for one in sorted(activities, key=lambda each: (each.start, each.strava_id)):
        run = run + 1 if one.is_hidden else 0
        longest = max(longest, run)
    return longest


def most_at_one_second(activities: Iterable[Stored]) -> int:
    starts = [one.start for one in activities]
    return max(map(starts.count, starts), default=0)


@given(ACTIVITIES, st.integers(1, 9))
def test_a_listing_at_rest_finds_everything_visible(activities: list[Stored], per_page: int) -> None:
    strava = ModelStrava(activities, per_page)
    listing, seen = list_all(strava)
    assert seen <= strava.visible()
    if most_at_one_second(activities) < per_page:
        assert listing.is_complete
        if longest_hidden_run(activities) + most_at_one_second(activities) < per_page:
            assert seen == strava.visible()


CHANGES = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["insert", "delete", "hide", "show"]), st.integers(80, 140)),
    max_size=12,
)


@settings(max_examples=400)
@given(ACTIVITIES, st.integers(2, 9), CHANGES, st.randoms(use_true_random=False))
def test_what_is_called_complete_misses_nothing_that_was_there_all_the_time(
    activities: list[Stored], per_page: int, changes: list[tuple[int, str, int]], random: object
) -> None:
    strava = ModelStrava(activities, per_page)
    listing, seen = Listing(SINCE), set[int]()
    always_visible, ever_visible = strava.visible(), strava.visible()
    longest_run, step = longest_hidden_run(activities), 0
    most = most_at_one_second(activities)
    while not listing.is_ended:
        listing = advance(strava, listing, seen)
        for at, change, start in changes:
            if at == step:
                _apply(strava, change, start, random)
        step += 1
        always_visible &= strava.visible()
        ever_visible |= strava.visible()
        longest_run = max(longest_run, longest_hidden_run(strava.activities.values()))
        most = max(most, most_at_one_second(strava.activities.values()))
    assert seen <= ever_visible
    if listing.is_complete and longest_run + most < per_page:
        assert always_visible <= seen


def _apply(strava: ModelStrava, change: str, start: int, random: object) -> None:
    if change == "insert":
        strava_id = max(strava.activities, default=0) + 1
        strava.activities[strava_id] = Stored(strava_id, start)
    elif strava.activities:
        strava_id = random.choice(sorted(strava.activities))  # type: ignore[attr-defined]
        if change == "delete":
            del strava.activities[strava_id]
        else:
            strava.activities[strava_id] = replace(strava.activities[strava_id], is_hidden=change == "hide")


def test_paging_by_number_would_lose_an_activity_that_slides_over_the_edge() -> None:
    activities = [Stored(number, 100 + number) for number in range(1, 11)]
    strava = ModelStrava(activities, 4)
    listing, seen = Listing(SINCE), set[int]()
    listing = advance(strava, listing, seen)
    assert seen == {7, 8, 9, 10}
    del strava.activities[9]
    by_number = build_index(strava.entries())
    assert json.loads(render_page(by_number, SimulatedQuery(page=2, per_page=4))) == [5, 4, 3, 2], "6 is on no page"
    while not listing.is_ended:
        listing = advance(strava, listing, seen)
    assert listing.is_complete
    assert seen == set(range(1, 11))


def test_activities_of_one_second_that_two_pages_share_are_all_found() -> None:
    strava = ModelStrava([Stored(number, 100 + number // 2) for number in range(60)], 5)
    listing, seen = list_all(strava)
    assert listing.is_complete
    assert seen == strava.visible()


def test_ends_that_show_the_same_second_but_no_activity_in_common_have_not_met() -> None:
    starts = [112, 111, 110, 109, 108, 107, 106, 105, 103, 103, 103, 102, 101, 100, 100]
    strava = ModelStrava([Stored(100 - number, start) for number, start in enumerate(starts)], 5)
    listing, seen = list_all(strava)
    assert listing.is_complete
    assert seen == strava.visible()


def test_one_call_is_enough_when_it_shows_something_older_than_is_needed() -> None:
    strava = ModelStrava([Stored(1, SINCE - 1), *(Stored(number, SINCE + number) for number in range(2, 50))], 200)
    listing, seen = list_all(strava)
    assert (strava.calls, listing.is_complete, len(seen)) == (1, True, 48)


@pytest.mark.parametrize("visible", [1, 2, 199])
def test_two_calls_are_enough_when_both_ends_show_the_same(visible: int) -> None:
    strava = ModelStrava([Stored(number, SINCE + number) for number in range(visible)], 200)
    listing, seen = list_all(strava)
    assert (strava.calls, listing.is_complete, len(seen)) == (2, True, visible)


def test_a_long_history_takes_hardly_more_calls_than_it_has_pages() -> None:
    strava = ModelStrava([Stored(number, SINCE + number) for number in range(1, 1_000)], 200)
    listing, seen = list_all(strava)
    assert (listing.is_complete, len(seen)) == (True, 999)
    assert strava.calls <= 6


def test_somebody_without_activities_is_listed_as_such() -> None:
    strava = ModelStrava([], 200)
    listing, seen = list_all(strava)
    assert (strava.calls, listing.is_complete, seen) == (2, True, set())


@pytest.mark.parametrize("hidden", [1, 3, 5, 50])
@pytest.mark.parametrize("place", [111, 301])
def test_an_empty_page_is_not_the_last_one(hidden: int, place: int) -> None:
    covered = [Stored(100 + number, place + number, is_hidden=True) for number in range(hidden)]
    strava = ModelStrava([*covered, Stored(1, 110), Stored(2, 300)], 3)
    listing, seen = list_all(strava)
    assert (listing.is_complete, seen) == (True, {1, 2})


def test_more_activities_of_one_second_than_a_page_holds_are_not_called_complete() -> None:
    strava = ModelStrava([Stored(number, 120) for number in range(1, 12)], 3)
    listing, seen = list_all(strava)
    assert len(seen) == 6, "as many as both ends show"
    assert not listing.is_complete


def test_a_listing_that_does_not_end_is_given_up_and_not_called_complete() -> None:
    listing, pages = Listing(SINCE), 0
    while (query := listing.next_query()) is not None:
        pages += 1
        start = 10**9 - pages if query.after is None else None
        listing = listing.after_page([ListedItem(pages, start, start)], set(), is_full=False)
    assert pages == MAX_PAGES
    assert not listing.is_complete


def test_a_hidden_start_may_be_listed_at_any_time_of_its_day() -> None:
    day = 86_400
    page = [ListedItem(1, 5 * day, 5 * day), ListedItem(2, 4 * day, 5 * day)]
    listing = Listing(0).after_page(page, set(), is_full=False)
    assert listing.low == 5 * day
    older = ListedItem(3, SINCE - day, SINCE)
    assert not Listing(SINCE).after_page([older], set(), is_full=False).is_ended
    assert Listing(SINCE + 1).after_page([older], set(), is_full=False).is_ended


@given(ACTIVITIES, st.integers(2, 6))
def test_a_listing_can_be_stored_between_any_two_pages(activities: list[Stored], per_page: int) -> None:
    strava = ModelStrava(activities, per_page)
    listing, seen = Listing(SINCE), set[int]()
    while not listing.is_ended:
        listing = advance(strava, Listing(**json.loads(json.dumps(vars(listing)))), seen)
    assert (listing, seen) == list_all(ModelStrava(activities, per_page))


def test_parameters_that_are_not_given_are_left_out() -> None:
    assert ListQuery().to_params(200) == {"per_page": 200}
    assert ListQuery(after=0, before=5).to_params(30) == {"per_page": 30, "after": 0, "before": 5}
