"""Own activities: why each counts or does not, choosing that, and having them fetched."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from leaderboard_helpers import add_challenge
from web_club import Club
from web_fakes import FakeLeaderboard, user_id
from web_sign_in import sign_in

from testkit.databases import execute
from testkit.events import disconnected, recorded, revised, sync_finished
from testkit.handling import emitted

ELA = user_id(4)
TODAY = datetime.now(UTC).date()
PAGE = "/c/main/me"
HTMX = {"HX-Request": "true"}


def at(hour: int, minute: int = 0, days_ago: int = 0) -> dict[str, Any]:
    """When an activity began, by the clock there and in UTC."""
    local = datetime.combine(TODAY - timedelta(days=days_ago), datetime.min.time()).replace(hour=hour, minute=minute)
    return {"local_start": local, "start_at": local.replace(tzinfo=UTC) - timedelta(hours=2)}


def ran(strava_id: int, km: float = 10, **fields: Any) -> Any:
    return recorded(strava_id, user_id=ELA, km=km, **{**at(8), **fields})


@pytest.fixture
async def ela(club: Club) -> Club:
    """Ela has joined a challenge that goes on."""
    await add_challenge(club.leaderboard, (TODAY - timedelta(days=40), TODAY + timedelta(days=5)), "Spring")
    await club.join(4)
    return club


async def show(club: Club, **query: str) -> str:
    answer = await club.client.get(PAGE, params=query)
    assert answer.status_code == 200
    return answer.text


async def choose(club: Club, strava_id: int, choice: str, **form: str) -> httpx.Response:
    return await club.client.post(f"{PAGE}/activities/{strava_id}", data={"choice": choice, **form})


def words_of(page: str, strava_id: int) -> str:
    """What is read of one activity."""
    found = re.search(rf'<article [^>]*id="a-{strava_id}".*?</article>', page, re.DOTALL)
    assert found, f"no activity {strava_id}"
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


async def test_an_activity_has_its_figures_and_why_it_counts_or_does_not_on_each_board(ela: Club) -> None:
    await ela.hear(ran(1, km=12.345))
    page = await show(ela)
    words = words_of(page, 1)
    assert "Run 08:00" in words
    assert "Distance 12.35 km Time 0:50 h Climb 10 m" in words or "Distance 12.34 km Time 0:50 h Climb 10 m" in words
    assert re.search(r"Running: counts with 12\.3[45] km", words)
    assert "Cycling: not counted, because this sport does not count there" in words
    assert '<a class="strava" href="https://www.strava.com/activities/1" rel="noopener">View on Strava</a>' in page


async def test_everything_is_said_in_polish(ela: Club) -> None:
    await ela.hear(ran(1, km=12.3, sport_type="TrailRun"))
    answer = await ela.client.get(PAGE, headers={"Accept-Language": "pl"})
    words = words_of(answer.text, 1)
    assert words.startswith("Bieg terenowy 08:00")
    assert "Bieganie: liczy się 12,30 km" in words
    assert "Rower: nie liczy się, bo to inna dyscyplina" in words


async def test_boards_that_refuse_it_for_one_reason_stand_together(ela: Club) -> None:
    await ela.hear(ran(1, sport_type="Yoga"))
    assert "Running, Cycling: not counted, because this sport does not count there" in words_of(await show(ela), 1)


async def test_figures_that_a_sport_has_none_of_are_left_out(ela: Club) -> None:
    await ela.hear(ran(1, km=0, sport_type="WeightTraining", elev_gain_m=0))
    words = words_of(await show(ela), 1)
    assert "Time 0:50 h" in words
    assert "Distance" not in words
    assert "Climb" not in words


async def test_a_sport_that_nobody_translated_keeps_its_name(ela: Club) -> None:
    await ela.hear(ran(1, sport_type="Quidditch"))
    assert "Quidditch 08:00" in words_of(await show(ela), 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trainer": True}, "indoor activities do not count there"),
        ({"flagged": True}, "Strava has flagged it"),
        ({"visibility": "only_me"}, "only you can see it on Strava, and you have not chosen"),
        (at(8, days_ago=41), "it was not on a day of the challenge"),
    ],
)
async def test_each_reason_has_a_sentence(ela: Club, fields: dict[str, Any], reason: str) -> None:
    await ela.hear(ran(1, **fields))
    assert f"not counted, because {reason}" in words_of(await show(ela), 1)


async def test_a_private_activity_is_shown_to_its_owner_with_the_way_to_the_setting(ela: Club) -> None:
    await ela.hear(ran(1, visibility="only_me"))
    page = await show(ela)
    assert "private" in words_of(page, 1)
    assert page.count('<a href="/settings#private">') == 1
    await ela.client.post("/settings/private", data={"count": "yes"})
    page = await show(ela)
    assert "counts with 10.00 km" in words_of(page, 1)
    assert "Only you see this; others see what it adds to your totals." in page


async def test_excluding_sticks_whatever_comes_from_strava_until_it_is_included_again(ela: Club) -> None:
    await ela.hear(ran(1))
    answer = await choose(ela, 1, "exclude")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?said=excluded#a-1")
    await ela.hear(revised(1, user_id=ELA, km=20, **at(8)))
    page = await show(ela, said="excluded")
    assert "Running: not counted, because you excluded it" in words_of(page, 1)
    assert "It does not count any more" in page
    answer = await choose(ela, 1, "include")
    assert answer.headers["location"] == f"{PAGE}?said=included#a-1"
    assert "Running: counts with 20.00 km" in words_of(await show(ela), 1)


async def test_with_htmx_the_answer_is_the_day_that_changed_and_what_was_done(ela: Club) -> None:
    await ela.hear(ran(1), ran(2, **at(15)), ran(3, **at(8, days_ago=1)))
    answer = await ela.client.post(f"{PAGE}/activities/1", data={"choice": "exclude"}, headers=HTMX)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith(f'<section class="day" id="day-{TODAY}"')
    assert "you excluded it" in words_of(answer.text, 1)
    assert "counts with" in words_of(answer.text, 2)
    assert 'id="a-3"' not in answer.text
    assert re.search(r'<hx-partial hx-target="#said".*It does not count any more', answer.text, re.DOTALL)
    assert "<html" not in answer.text
    # The button that was pressed is there again under its id, so that it keeps the focus.
    assert 'value="include" id="own-1"' in answer.text


async def test_recordings_of_the_same_time_are_side_by_side_and_one_click_chooses(ela: Club) -> None:
    await ela.hear(ran(1, km=10), ran(2, km=9, **at(8, 1)), ran(3, **at(15)))
    page = await show(ela)
    [rivals] = re.findall(r'<div class="rivals".*?</div>\n</div>\n', page, re.DOTALL)
    assert 'id="a-1"' in rivals
    assert 'id="a-2"' in rivals
    assert 'id="a-3"' not in rivals
    assert "another recording of the same time counts in its place ( this one )" in words_of(page, 2)
    assert '<a href="#a-1">this one</a>' in page
    assert "Count this one instead" in words_of(page, 2)
    assert "Count this one instead" not in words_of(page, 1)
    answer = await choose(ela, 2, "prefer")
    assert answer.headers["location"] == f"{PAGE}?said=preferred#a-2"
    page = await show(ela, said="preferred")
    assert "your choice" in words_of(page, 2)
    assert "Running: counts with 9.00 km" in words_of(page, 2)
    assert "Count this one instead" in words_of(page, 1)
    await choose(ela, 2, "leave")
    assert "Running: counts with 10.00 km" in words_of(await show(ela), 1)


async def test_recordings_around_midnight_are_one_group_and_both_days_are_answered(ela: Club) -> None:
    before, after = at(23, 50, days_ago=1), at(0, 5)
    await ela.hear(ran(1, km=10, **before), ran(2, km=9, **after), ran(3, **at(12, days_ago=1)))
    page = await show(ela)
    assert page.index('id="a-2"') < page.index('id="a-1"') < page.index(f'id="day-{TODAY - timedelta(days=1)}"')
    answer = await ela.client.post(f"{PAGE}/activities/2", data={"choice": "prefer"}, headers=HTMX)
    assert "your choice" in words_of(answer.text, 2)
    assert f'<hx-partial hx-target="#day-{TODAY - timedelta(days=1)}"' in answer.text


async def test_what_an_organiser_excluded_is_shown_with_the_reason_and_cannot_be_changed(ela: Club) -> None:
    await ela.hear(ran(1))
    await execute(
        ela.leaderboard,
        """insert into exclusions (strava_id, excluded_by, user_id, reason)
           values (1, 'organiser', :id, 'A <b>car</b>')""",
        id=ELA,
    )
    page = await show(ela)
    assert "An organiser excluded it: “A &lt;b&gt;car&lt;/b&gt;”" in page
    assert "Only an organiser can change that; please ask them." in words_of(page, 1)
    assert 'name="choice"' not in page


async def test_points_are_explained_with_their_units_the_cap_and_the_bonus(ela: Club) -> None:
    await execute(
        ela.leaderboard,
        """update board_versions set metric = 'points',
             points = '{"unit": "distance", "per_unit": {"Run": "1.5"}, "daily_cap": "20", "active_day_bonus": "3"}'
           where board_id = (select id from boards where slug = 'running')""",
    )
    await ela.settle()
    await ela.hear(ran(1, km=10), ran(2, km=8, **at(15)))
    page = await show(ela)
    assert "Running: counts with 10.00 km \u00d7 1.50 = 15.00 points" in words_of(page, 1)
    sums = " ".join(re.sub(r"<[^>]+>", " ", re.findall(r'<p class="sum">.*?</p>', page, re.DOTALL)[0]).split())
    assert sums == "Running 27.00 points, of which at most 20.00 count on a day + 3.00 for an active day = 23.00"


async def test_a_long_history_has_pages_and_a_choice_comes_back_to_its_page(ela: Club) -> None:
    await ela.hear(*(ran(n, **at(8, days_ago=n)) for n in range(1, 39)))
    page = await show(ela)
    more = re.search(r'href="/c/main/me\?until=([0-9-]+)"', page)
    assert more
    older = await show(ela, until=more[1])
    ids = [int(one) for one in re.findall(r'<article [^>]*id="a-(\d+)"', page + older)]
    assert ids == list(range(1, 39))
    assert f'<input type="hidden" name="until" value="{more[1]}">' in older
    answer = await choose(ela, 38, "exclude", until=more[1])
    assert answer.headers["location"] == f"{PAGE}?until={more[1]}&said=excluded#a-38"
    assert 'href="/c/main/me">Back to the latest' in older


async def test_without_activities_the_page_says_how_they_come(ela: Club) -> None:
    page = await show(ela)
    assert "Record one with Strava as you always do" in page
    assert "Not fetched yet." in page


async def test_activities_of_somebody_else_can_neither_be_seen_nor_changed(ela: Club) -> None:
    await ela.hear(recorded(7, user_id=user_id(5), **at(8)))
    assert 'id="a-7"' not in await show(ela)
    assert (await choose(ela, 7, "exclude")).headers["location"] == f"{PAGE}?said=gone"
    assert "This activity is not on record any more." in await show(ela, said="gone")
    answer = await ela.client.post(f"{PAGE}/activities/7", data={"choice": "exclude"}, headers=HTMX)
    assert (answer.status_code, answer.headers["hx-retarget"]) == (200, "#said")
    assert "This activity is not on record any more." in answer.text


@pytest.mark.parametrize("strava_id", ["0", "x", str(2**63)])
async def test_a_choice_that_is_none_is_not_found(ela: Club, strava_id: str) -> None:
    answer = await ela.client.post(f"{PAGE}/activities/{strava_id}", data={"choice": "exclude"})
    assert answer.status_code == 404
    assert (await choose(ela, 1, "explode")).status_code == 404
    assert (await choose(ela, 1, "exclude", until="soon")).status_code == 404


async def test_only_who_is_signed_in_has_activities(ela: Club) -> None:
    ela.client.cookies.clear()
    assert (await ela.client.get(PAGE)).headers["location"] == f"/join?to={PAGE}&said=sign-in"
    for answer in (await choose(ela, 1, "exclude"), await ela.client.post(f"{PAGE}/sync")):
        assert answer.headers["location"] == "/join?said=not-saved"


async def test_the_page_says_when_activities_were_fetched_and_when_they_will_be(ela: Club) -> None:
    await ela.hear(sync_finished(ELA, minute=5))
    page = await show(ela)
    assert re.search(r"Last fetched on <time [^>]*>1 May, 02:05</time>", page)
    assert re.search(r"in the round of the night, <time [^>]*>\d+ \w+, 00:05</time>", page)
    state = ela.client.app.state  # type: ignore[attr-defined]
    state.context = replace(state.context, nightly_time_zone="Asia/Tokyo")
    page = await show(ela)
    assert re.search(r"in the round of the night, <time [^>]*>\d+ \w+, 1[67]:05</time>", page), "by Warsaw's clocks"
    settings = (await ela.client.get("/settings")).text
    assert re.search(r"last fetched on <time [^>]*>1 May, 09:05</time>", settings), "which is about no challenge"
    await ela.hear(sync_finished(ELA, minute=9, error="StravaDown"))
    assert "The last attempt did not work." in await show(ela)


async def test_activities_are_fetched_on_request_and_the_open_page_waits_for_them(ela: Club) -> None:
    answer = await ela.client.post(f"{PAGE}/sync")
    assert answer.headers["location"] == f"{PAGE}?said=asked"
    page = await show(ela, said="asked")
    assert "Strava is being asked for your activities." in page
    assert 'hx-get="/c/main/me/sync?polls=1" hx-trigger="load delay:3s"' in page
    assert len(await emitted(ela.leaderboard, "sync.requested")) == 1
    waiting = await ela.client.get(f"{PAGE}/sync?polls=1", headers=HTMX)
    assert "Your activities are being fetched." in waiting.text
    assert 'hx-get="/c/main/me/sync?polls=2"' in waiting.text
    last = await ela.client.get(f"{PAGE}/sync?polls=60", headers=HTMX)
    assert "hx-get" not in last.text
    assert (await ela.client.get(f"{PAGE}/sync?polls=61", headers=HTMX)).status_code == 404
    await ela.hear(sync_finished(ELA, finished_at=datetime.now(UTC) + timedelta(seconds=1)))
    done = await ela.client.get(f"{PAGE}/sync?polls=2", headers=HTMX)
    assert "Show what is new" in done.text
    assert "hx-get" not in done.text


@pytest.mark.parametrize("headers", [{}, HTMX])
async def test_who_asks_too_often_reads_when_they_can_again(ela: Club, headers: dict[str, str]) -> None:
    await ela.client.post(f"{PAGE}/sync")
    answer = await ela.client.post(f"{PAGE}/sync", headers=headers)
    if not headers:
        assert answer.headers["location"] == f"{PAGE}?said=too-early"
        answer = await ela.client.get(answer.headers["location"])
    assert "Strava allows only so many questions." in answer.text
    assert "You can ask again on <time" in answer.text


async def test_who_has_no_connection_is_not_offered_a_fetch(ela: Club) -> None:
    await ela.hear(disconnected(ELA, minute=10**7))
    page = await show(ela)
    assert "Nothing more can be fetched until you connect Strava again." in page
    assert "Fetch now" not in page


async def test_while_leaderboard_is_away_the_page_says_so_and_a_click_tells_it(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    await sign_in(client)
    await client.get("/c/autumn/running")
    leaderboard.away = True
    answer = await client.get("/c/autumn/me")
    assert answer.status_code == 503
    assert "This cannot be done at the moment" in answer.text
    assert "My activities" in answer.text
    clicked = await client.post("/c/autumn/me/activities/1", data={"choice": "exclude"}, headers=HTMX)
    assert clicked.headers["hx-retarget"] == "#said"
    assert "a part of the site is away" in clicked.text
    answer = await client.post("/c/autumn/me/activities/1", data={"choice": "exclude"})
    assert answer.headers["location"] == "/c/autumn/me?said=away"
    assert "This cannot be done at the moment" in (await client.get(answer.headers["location"])).text
    assert (await client.post("/c/autumn/me/sync")).headers["location"] == "/c/autumn/me?said=away"
    synced = await client.post("/c/autumn/me/sync", headers=HTMX)
    assert "a part of the site is away" in synced.text


async def test_a_closed_challenge_says_that_nothing_changes_any_more(ela: Club) -> None:
    await execute(ela.leaderboard, "update challenges set closed_at = now(), digest = 'x'")
    await ela.settle()
    assert "The results of this challenge are final" in await show(ela)
