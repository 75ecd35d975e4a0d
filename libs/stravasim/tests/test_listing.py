"""The list of activities: order, bounds, pages, visibility."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stravasim.strava.listing import ActivityEntry, ListQuery, build_index, listing_start, render_page

from_june = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())


def at(minute: int) -> int:
    """Epoch seconds of the activity with that number."""
    return from_june + 60 * minute


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"page": 1, "per_page": 2}, [5, 4]),
        ({"page": 3, "per_page": 2}, [1]),
        ({"page": 4, "per_page": 2}, []),
        ({"page": 10**17}, []),
        ({"before": at(4)}, [3, 2, 1]),
        ({"after": at(2)}, [3, 4, 5]),
        ({"after": at(2), "page": 2, "per_page": 2}, [5]),
        ({"after": at(2), "page": 3, "per_page": 2}, []),
        ({"after": at(1), "before": at(5)}, [4, 3, 2]),
        ({"after": at(1), "before": at(5), "page": 2, "per_page": 2}, [2]),
        ({"after": at(5), "before": at(1)}, []),
        ({"after": -1}, [1, 2, 3, 4, 5]),
    ],
)
async def test_the_order_follows_the_bounds_that_were_given(harness, parameters, ids):
    reader = await harness.reader()

    assert await reader.ids(**parameters) == ids


async def test_a_page_holds_thirty_by_default_and_two_hundred_at_most(open_harness):
    activities = [{"id": number} for number in range(1, 302)]
    async with open_harness(activities) as harness:
        reader = await harness.reader()
        assert [len(await reader.ids(page=page)) for page in (1, 10, 11, 12)] == [30, 30, 1, 0]
        assert len(await reader.ids(per_page=500)) == 200


async def test_both_base_addresses_serve_the_same(harness):
    reader = await harness.reader()

    for path in ("/athlete", "/athlete/activities"):
        assert (await reader.get(path)).content == (await reader.get("/api/v3" + path)).content
    assert (await reader.get("/athlete")).json()["id"] == 7


async def test_short_pages_lose_nothing_and_end_with_an_empty_one(open_harness):
    async with open_harness(short_pages=True) as harness:
        reader = await harness.reader()
        pages = [await reader.ids(per_page=3, page=page) for page in range(1, 5)]
    assert pages == [[5, 4], [3, 2], [1], []]


async def test_pages_that_are_cut_before_they_are_hidden_may_be_empty_although_others_follow(open_harness):
    activities = [{"id": number, "visibility": "everyone" if number == 1 else "only_me"} for number in range(1, 6)]
    async with open_harness(activities, hide_after_paging=True) as harness:
        reader = await harness.reader(granted="read,activity:read")
        pages = [await reader.ids(per_page=2, page=page) for page in range(1, 5)]
    assert pages == [[], [], [1], []]


@pytest.mark.parametrize("name", ["after", "before", "page", "per_page"])
@pytest.mark.parametrize("value", ["", "x", "1.5", "1_000", "٣", " 1", "9" * 30])
async def test_a_parameter_that_is_no_number_is_a_bad_request(harness, name, value):
    response = await (await harness.reader()).get(**{name: value})

    assert response.status_code == 400
    assert response.json()["errors"] == [{"resource": "Activity", "field": name, "code": "invalid"}]


@pytest.mark.parametrize("parameters", [{"page": 0}, {"per_page": 0}, {"page": -1}, {"per_page": -5}])
async def test_pages_count_from_one(harness, parameters):
    assert (await (await harness.reader()).get(**parameters)).status_code == 400


async def test_only_me_activities_need_the_wider_scope(open_harness):
    activities = [
        {"id": 1, "visibility": "everyone"},
        {"id": 2, "visibility": "followers_only"},
        {"id": 3, "visibility": "only_me", "private": True},
        {"id": 4, "private": True},
        {"id": 5},
    ]
    async with open_harness(activities) as harness:
        narrow = await harness.reader(granted="read,activity:read")
        wide = await harness.reader(granted="activity:read_all")
        assert await narrow.ids() == [5, 2, 1]
        assert await narrow.ids(per_page=2) == [5, 2]
        assert await wide.ids() == [5, 4, 3, 2, 1]


async def test_the_list_needs_an_activity_scope_but_the_athlete_does_not(harness):
    reader = await harness.reader(granted="read")
    response = await reader.get()

    assert response.status_code == 401
    assert response.json() == {
        "message": "Authorization Error",
        "errors": [{"resource": "AccessToken", "field": "activity:read_permission", "code": "missing"}],
    }
    assert (await reader.get("/athlete")).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}])
async def test_a_token_is_taken_from_the_bearer_header_only(harness, headers):
    token = (await harness.tokens())["access_token"]
    response = await harness.client.get("/athlete", headers=headers, params={"access_token": token})

    assert response.status_code == 401
    assert response.json()["errors"] == [{"resource": "Athlete", "field": "access_token", "code": "invalid"}]


def test_an_activity_is_listed_under_its_start_date_or_the_next_best():
    start = datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()

    assert listing_start({"start_date": "2026-07-01T10:00:00Z", "start_date_local": "x"}) == start
    assert listing_start({"start_date_local": "2026-07-01T12:00:00Z", "utc_offset": 7200.0}) == start
    assert listing_start({"start_date": None, "start_date_local": "2026-07-01T10:00:00Z"}) == start
    assert listing_start({"start_date": "yesterday"}) == listing_start({"start_date": 5}) == listing_start({}) == 0


async def test_undated_activities_come_last_in_the_order_of_their_ids(open_harness):
    async with open_harness([{"id": 2}, {"id": 9, "start_date": "1999-01-01T00:00:00Z"}, {"id": 1}]) as harness:
        assert await (await harness.reader()).ids() == [9, 2, 1]


@given(
    starts=st.lists(st.integers(0, 20), max_size=25),
    after=st.none() | st.integers(-1, 21),
    before=st.none() | st.integers(-1, 21),
    per_page=st.integers(1, 7),
    short=st.booleans(),
)
def test_paging_to_the_empty_page_finds_each_activity_in_the_bounds_once(starts, after, before, per_page, short):
    entries = [
        ActivityEntry(start, number, only_me=False, body=b"%d" % number) for number, start in enumerate(starts)
    ]
    log = build_index(entries)
    found: list[int] = []
    for page in range(1, len(starts) + 3):
        items = json.loads(render_page(log, ListQuery(after, before, page, per_page), short=short))
        if not items:
            break
        found += items
    oldest_first = sorted(
        number
        for number, start in enumerate(starts)
        if (after is None or start > after) and (before is None or start < before)
    )
    oldest_first.sort(key=lambda number: starts[number])
    assert found == (oldest_first if after is not None and before is None else oldest_first[::-1])
