"""The first steps after joining."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from leaderboard_helpers import add_challenge
from web_club import Club
from web_fakes import FakeAuth, FakeLeaderboard, user_id
from web_sign_in import complete_sign_in, sign_in, start_sign_in

from testkit.events import recorded, sync_finished
from web.activities.rules import fetch_state, next_night
from web.welcome.rules import import_state

ELA = user_id(4)
PROGRESS = "/welcome/import"


async def test_who_joins_is_welcomed_and_who_signs_in_again_is_led_to_the_board(
    client: httpx.AsyncClient, auth: FakeAuth
) -> None:
    auth.first_time = True
    answer = await complete_sign_in(client, await start_sign_in(client))
    assert answer.headers["location"] == "/welcome"
    page = (await client.get("/welcome")).text
    assert 'name="display_name" value="Ela N."' in page
    assert '<a class="button" href="/">To the board</a>' in page
    auth.first_time = False
    answer = await complete_sign_in(client, await start_sign_in(client))
    assert answer.headers["location"] == "/c/autumn/running"


async def test_the_name_is_chosen_at_once(club: Club) -> None:
    await club.join(4)
    answer = await club.client.post("/welcome", data={"display_name": "Ola"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome?said=renamed")
    page = (await club.client.get("/welcome?said=renamed")).text
    assert "This is your name now." in page
    assert 'value="Ola"' in page
    answer = await club.client.post("/welcome", data={"display_name": "x" * 81})
    assert answer.status_code == 422
    assert "A name has 1 to 80 characters." in answer.text
    club.auth.refusal = (503, "unavailable")
    answer = await club.client.post("/welcome", data={"display_name": "Ola"})
    assert "a part of the site is away" in answer.text


async def test_the_import_is_shown_as_it_goes_until_it_is_done(club: Club) -> None:
    await add_challenge(club.leaderboard)
    await club.join(4)
    page = (await club.client.get("/welcome")).text
    assert "Strava is being asked for your activities." in page
    assert 'hx-get="/welcome/import?polls=1" hx-trigger="load delay:2s"' in page
    assert '<noscript><p><a href="/welcome">Refresh</a></p></noscript>' in page
    await club.hear(recorded(1, user_id=ELA))
    counting = (await club.client.get(f"{PROGRESS}?polls=1")).text
    assert "1 activity so far, and more are coming in." in counting
    assert 'hx-get="/welcome/import?polls=2"' in counting
    await club.hear(recorded(2, user_id=ELA), sync_finished(ELA, error="StravaDown", minute=1))
    assert "It is tried again by itself" in (await club.client.get(f"{PROGRESS}?polls=2")).text
    await club.hear(sync_finished(ELA, minute=2))
    done = (await club.client.get(f"{PROGRESS}?polls=3")).text
    assert "Done: 2 activities are here." in done
    assert "hx-get" not in done


async def test_an_open_page_stops_asking_after_a_while(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    last = await client.get(f"{PROGRESS}?polls=150")
    assert "hx-get" not in last.text
    assert '<a href="/welcome">Refresh</a>' in last.text
    assert (await client.get(f"{PROGRESS}?polls=151")).status_code == 404


async def test_while_leaderboard_is_away_the_import_is_waited_for(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    await sign_in(client)
    leaderboard.away = True
    page = await client.get("/welcome")
    assert page.status_code == 200
    assert "Strava is being asked for your activities." in page.text


async def test_a_permission_that_was_left_out_is_named(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    await sign_in(client)
    assert "The box for private activities was not ticked" in (await client.get("/welcome")).text
    auth.scopes = ("read", "activity:read", "activity:read_all")
    assert "The box for private activities was not ticked" not in (await client.get("/welcome")).text


async def test_only_who_is_signed_in_is_welcomed(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/welcome"), await client.get(PROGRESS), await client.post("/welcome")]
    assert [answer.headers["location"] for answer in answers] == [
        "/join?to=/welcome&said=sign-in",
        "/join?said=sign-in",
        "/join?said=not-saved",
    ]


async def test_who_was_erased_is_not_welcomed(club: Club) -> None:
    await club.join(4)
    club.auth.refusal = (404, "not_found")
    assert (await club.client.get("/welcome")).headers["location"] == "/goodbye"


async def test_who_was_erased_has_no_name_to_choose(club: Club) -> None:
    await club.join(4)
    club.auth.refusal = (404, "not_found")
    answer = await club.client.post("/welcome", data={"display_name": "Ola"})
    assert answer.headers["location"] == "/goodbye"


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ((0, None, False), "waiting"),
        ((3, None, False), "counting"),
        ((3, "failed", False), "failing"),
        ((3, "failed", True), "done"),
        ((0, "succeeded", True), "done"),
    ],
)
def test_an_import_is_done_when_it_has_once_succeeded(known: Any, state: str) -> None:
    activities, last_outcome, has_succeeded = known
    assert import_state(activities, last_outcome, has_succeeded=has_succeeded) == state


@pytest.mark.parametrize(
    ("now", "zone", "night"),
    [
        (datetime(2026, 7, 1, 22, 4, tzinfo=UTC), "Europe/Warsaw", datetime(2026, 7, 1, 22, 5, tzinfo=UTC)),
        (datetime(2026, 7, 1, 22, 5, tzinfo=UTC), "Europe/Warsaw", datetime(2026, 7, 2, 22, 5, tzinfo=UTC)),
        (datetime(2026, 10, 24, 23, 0, tzinfo=UTC), "Europe/Warsaw", datetime(2026, 10, 25, 23, 5, tzinfo=UTC)),
        (datetime(2026, 7, 1, 22, 4, tzinfo=UTC), "America/New_York", datetime(2026, 7, 2, 4, 5, tzinfo=UTC)),
    ],
)
def test_the_round_of_the_night_begins_at_five_past_twelve_where_sync_is_told_that_the_night_is(
    now: datetime, zone: str, night: datetime
) -> None:
    assert next_night(now, zone) == night


@pytest.mark.parametrize(
    ("asked", "tried", "now", "state"),
    [
        (None, None, 9, "idle"),
        (5, None, 6, "waiting"),
        (5, 4, 6, "waiting"),
        (5, 5, 6, "idle"),
        (5, 4, 10, "late"),
    ],
)
def test_a_fetch_is_waited_for_until_it_was_tried(asked: int | None, tried: int | None, now: int, state: str) -> None:
    def at(minute: int | None) -> datetime | None:
        return None if minute is None else datetime(2026, 5, 1, 8, minute, tzinfo=UTC)

    assert fetch_state(at(asked), at(tried), datetime(2026, 5, 1, 8, now, tzinfo=UTC)) == state
