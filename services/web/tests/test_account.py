"""Settings, downloading one's data, disconnecting and leaving."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from leaderboard_helpers import add_challenge
from web_club import Club
from web_fakes import FakeAuth, FakeLeaderboard, user_id
from web_sign_in import sign_in

from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import recorded, renamed
from testkit.handling import emitted

ELA = user_id(4)


async def status_of(club: Club) -> Any:
    [row] = await fetch_rows(club.leaderboard, f"select * from participants where user_id = '{ELA}'")
    return row


async def add_running(club: Club) -> str:
    """A challenge in which Ela ran 5 km; the address of its board."""
    today = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (today - timedelta(days=3), today + timedelta(days=3)), "Spring")
    await club.join(4)
    await club.hear(recorded(1, user_id=ELA, km=5, local_start=datetime.combine(today, datetime.min.time())))
    return "/c/main/running"


async def test_a_new_name_is_on_the_very_next_page(club: Club) -> None:
    await club.join(4)
    answer = await club.client.post("/settings/name", data={"display_name": "  Ola & Co.  "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?said=renamed")
    page = await club.client.get(answer.headers["location"])
    assert "This is your name now." in page.text
    assert '<a class="who" href="/settings">Ola &amp; Co.</a>' in page.text
    assert 'value="Ola &amp; Co."' in page.text
    assert club.auth.renamed == ["Ola & Co."]


async def test_a_name_of_80_characters_is_taken(club: Club) -> None:
    await club.join(4)
    assert (await club.client.post("/settings/name", data={"display_name": "Ż" * 80})).status_code == 303


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "Ż" * 81])
async def test_a_name_that_is_empty_or_too_long_stays_in_the_form_with_the_reason(club: Club, name: str) -> None:
    await club.join(4)
    answer = await club.client.post("/settings/name", data={"display_name": name})
    assert answer.status_code == 422
    assert "A name has 1 to 80 characters." in answer.text
    assert f'value="{name}"' in answer.text
    assert 'aria-invalid="true" aria-describedby="problem-display_name"' in answer.text
    assert club.auth.renamed == []


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ((422, "invalid"), "A name has 1 to 80 characters."),
        ((409, "conflict"), "Not now."),
        ((429, "rate_limited"), "Not now."),
        ((503, "unavailable"), "a part of the site is away"),
    ],
)
async def test_a_name_that_auth_does_not_take_now_stays_in_the_form(
    club: Club, refusal: tuple[int, str], sentence: str
) -> None:
    await club.join(4)
    club.auth.refusal = refusal
    answer = await club.client.post("/settings/name", data={"display_name": "Ola"})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'value="Ola"' in answer.text


async def test_settings_are_for_who_is_signed_in(client: httpx.AsyncClient) -> None:
    pages = ("/settings", "/settings/disconnect", "/settings/delete")
    expected = {
        **{page: f"/join?to={page}&said=sign-in" for page in pages},
        "/settings/download": "/join?said=sign-in",
    }
    for path, location in expected.items():
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, location)
    said = "That page is for people who are signed in."
    assert (await client.get("/join?said=sign-in")).text.count(said) == 1
    for form in ("name", "listing", "private", "disconnect", "delete"):
        answer = await client.post(f"/settings/{form}", data={"listed": "no", "count": "yes", "sure": "yes"})
        assert answer.headers["location"] == "/join?said=not-saved"


async def test_what_a_browser_remembers_is_chosen_with_one_form(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    chosen = {"back": "/settings?said=saved", "lang": "pl", "theme": "dark", "keys": "off"}
    answer = await client.post("/preferences", data=chosen)
    assert answer.headers["location"] == "/settings?said=saved"
    page = (await client.get("/settings?said=saved")).text
    assert '<html lang="pl" data-theme="dark">' in page
    assert "Wybór jest zapisany w tej przeglądarce." in page
    for name, value in (("lang", "pl"), ("theme", "dark"), ("keys", "off")):
        assert f'<input type="radio" name="{name}" value="{value}" checked>' in page


async def test_who_hides_themselves_leaves_the_boards_and_comes_back(club: Club) -> None:
    await add_running(club)
    answer = await club.client.post("/settings/listing", data={"listed": "no"})
    assert answer.headers["location"] == "/settings?said=hidden"
    assert "Ela N.</a></th>" not in (await club.client.get("/c/main/running")).text
    page = (await club.client.get("/settings?said=hidden")).text
    assert "no board shows you any more" in page
    assert 'name="listed" value="yes"' in page
    assert 'name="listed" value="no"' not in page
    assert (await status_of(club)).hidden_by_participant is True
    await club.client.post("/settings/listing", data={"listed": "yes"})
    assert (await status_of(club)).hidden_by_participant is False
    assert "You are on the boards again." in (await club.client.get("/settings?said=listed")).text


async def test_who_is_hidden_by_an_organiser_is_told_so(club: Club) -> None:
    await club.join(4)
    await execute(club.leaderboard, "update participants set hidden_by_organiser = true")
    assert "An organiser has taken you off the boards." in (await club.client.get("/settings")).text


async def test_private_activities_count_when_their_owner_says_so(club: Club) -> None:
    await club.join(4)
    page = (await club.client.get("/settings")).text
    assert "are neither stored nor counted" in page
    for count, said, words in (
        ("yes", "private-on", "Your private activities count from now on."),
        ("no", "private-off", "Your private activities do not count any more"),
    ):
        answer = await club.client.post("/settings/private", data={"count": count})
        assert answer.headers["location"] == f"/settings?said={said}"
        assert words in (await club.client.get(answer.headers["location"])).text
        assert (await status_of(club)).private_activities is (count == "yes")
    assert len(await emitted(club.leaderboard, "participant.privacy_changed")) == 2


async def test_who_did_not_let_strava_show_private_activities_is_led_to_doing_so(club: Club) -> None:
    await club.join(4)
    offer = '<a href="/join?to=/settings&amp;again=1">Connect again and tick it</a>'
    assert offer in (await club.client.get("/settings")).text
    club.auth.scopes = ("read", "activity:read", "activity:read_all")
    assert offer not in (await club.client.get("/settings")).text


@pytest.mark.parametrize("form", [{"listed": "maybe"}, {}, {"count": "maybe"}])
@pytest.mark.parametrize("path", ["/settings/listing", "/settings/private"])
async def test_a_choice_that_is_none_changes_nothing(club: Club, path: str, form: dict[str, str]) -> None:
    await club.join(4)
    assert (await club.client.post(path, data=form)).status_code == 404


async def test_while_leaderboard_is_away_settings_say_what_is_missing(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    await sign_in(client)
    leaderboard.away = True
    page = await client.get("/settings")
    assert page.status_code == 200
    assert "What you chose here cannot be shown at the moment." in page.text
    for path, data in (("listing", {"listed": "no"}), ("private", {"count": "yes"})):
        answer = await client.post(f"/settings/{path}", data=data)
        assert answer.status_code == 422
        assert "This cannot be done at the moment" in answer.text


async def test_who_is_not_known_to_leaderboard_yet_is_told_to_wait(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    answer = await client.post("/settings/listing", data={"listed": "no"})
    assert "This can be chosen as soon as your first activities have been asked for." in answer.text


async def test_while_auth_is_away_settings_are_shown_all_the_same(club: Club) -> None:
    await club.join(4)
    club.auth.refusal = (503, "unavailable")
    page = await club.client.get("/settings")
    assert page.status_code == 200
    assert 'value="Ela N."' in page.text


async def test_strava_is_disconnected_after_a_confirmation_and_the_next_page_says_so(club: Club) -> None:
    await club.join(4)
    assert "Disconnect Strava?" in (await club.client.get("/settings/disconnect")).text
    assert club.auth.disconnected == []
    answer = await club.client.post("/settings/disconnect")
    assert answer.headers["location"] == "/settings?said=disconnected"
    assert club.auth.disconnected == [ELA]
    page = (await club.client.get("/settings?said=disconnected")).text
    assert "You have disconnected Strava" in page
    assert 'href="/settings/disconnect"' not in page


async def test_while_auth_is_away_nothing_is_disconnected_nor_deleted(club: Club) -> None:
    await club.join(4)
    club.auth.refusal = (503, "unavailable")
    answer = await club.client.post("/settings/disconnect")
    assert (answer.status_code, "This cannot be done at the moment" in answer.text) == (503, True)
    answer = await club.client.post("/settings/delete", data={"sure": "yes"})
    assert (answer.status_code, "This cannot be done at the moment" in answer.text) == (503, True)
    assert 'value="yes" required checked' in answer.text
    assert "Sign out" in (await club.client.get("/privacy")).text


async def test_a_download_is_a_file_with_everything_that_is_known(club: Club) -> None:
    await add_running(club)
    await club.client.post("/settings/listing", data={"listed": "no"})
    answer = await club.client.get("/settings/download")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="gruppetto-my-data.json"'
    assert answer.headers["cache-control"] == "no-store"
    known = json.loads(answer.text)
    assert known["account"]["display_name"] == "Ela N."
    assert known["account"]["consent_version"]
    assert len(known["sessions"]) == 1
    assert [one["strava_id"] for one in known["challenges"]["activities"]] == [1]
    assert known["challenges"]["participant"]["display_name"] == "Ela N."


async def test_a_download_of_who_is_new_has_what_there_is(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    known = (await client.get("/settings/download")).json()
    assert (known["account"]["athlete_id"], known["challenges"]) == (104, None)


async def test_a_download_that_would_be_half_is_none(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    await sign_in(client)
    leaderboard.away = True
    answer = await client.get("/settings/download")
    assert answer.status_code == 503
    assert "Taking a short rest" in answer.text


async def test_nothing_is_deleted_without_the_box(club: Club) -> None:
    await club.join(4)
    assert "Yes, delete everything about me (Ela N.)" in (await club.client.get("/settings/delete")).text
    answer = await club.client.post("/settings/delete", data={})
    assert answer.status_code == 422
    assert "Please tick the box first" in answer.text
    assert club.auth.erased == []


async def test_who_deletes_everything_is_signed_out_and_reads_what_happens_now(
    club: Club, database: Database
) -> None:
    await club.join(4)
    answer = await club.client.post("/settings/delete", data={"sure": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/goodbye")
    assert club.auth.erased == [ELA]
    assert await fetch_rows(database, "select * from sessions") == []
    page = await club.client.get("/goodbye")
    assert "everything about you is being deleted" in page.text
    assert "Sign out" not in page.text
    assert (await club.client.get("/settings")).headers["location"] == "/join?to=/settings&said=sign-in"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/settings/name", {"display_name": "Ola"}),
        ("/settings/disconnect", {}),
        ("/settings/delete", {"sure": "yes"}),
        ("/settings", None),
        ("/settings/download", None),
    ],
)
async def test_who_was_erased_in_another_tab_is_signed_out_here_as_well(
    club: Club, database: Database, path: str, form: dict[str, str] | None
) -> None:
    await club.join(4)
    club.auth.refusal = (404, "not_found")
    answer = await (club.client.get(path) if form is None else club.client.post(path, data=form))
    assert (answer.status_code, answer.headers["location"]) == (303, "/goodbye")
    assert await fetch_rows(database, "select * from sessions") == []


async def test_a_sentence_of_settings_is_only_one_that_is_written_there(club: Club) -> None:
    await club.join(4)
    page = (await club.client.get("/settings", params={"said": "You owe me money"})).text
    assert "You owe me money" not in page
    assert not re.search(r'role="status">', page)


async def test_another_site_can_neither_disconnect_nor_delete(club: Club, auth: FakeAuth) -> None:
    await club.join(4)
    for path in ("/settings/disconnect", "/settings/delete"):
        answer = await club.client.post(path, data={"sure": "yes"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert auth.erased == auth.disconnected == []


async def test_boards_take_the_new_name_from_its_event(club: Club) -> None:
    board = await add_running(club)
    await club.hear(renamed(ELA, "Ola", minute=10**6))
    assert (await status_of(club)).display_name == "Ola"
    assert (await club.client.get(board)).status_code == 200
