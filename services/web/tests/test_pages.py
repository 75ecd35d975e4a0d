"""The pages as HTML, over fakes of the other services."""

import re

import httpx
import pytest
from web_fakes import FakeAuth, FakeLeaderboard, row
from web_harness import build

from shared.db import Sessions


async def test_home_shows_the_first_board_of_the_current_challenge(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "Autumn Kilometres" in page.text
    assert "Ania K." in page.text
    assert "13 days left" in page.text


async def test_numbers_are_written_as_the_reader_writes_them(client: httpx.AsyncClient) -> None:
    english = await client.get("/c/autumn/running", headers={"Accept-Language": "en"})
    polish = await client.get("/c/autumn/running", headers={"Accept-Language": "pl,en;q=0.5"})
    assert 'lang="en"' in english.text
    assert "412.7" in english.text
    assert 'lang="pl"' in polish.text
    assert "412,7" in polish.text


async def test_a_tie_shares_a_place_and_the_next_place_is_skipped(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.rows = [row(0, 50.0), row(1, 50.0), row(2, 20.0)]
    page = await client.get("/c/autumn/cycling")
    assert re.findall(r'<td class="place">(\d+)</td>', page.text) == ["1", "1", "3"]


async def test_a_name_cannot_bring_markup_into_the_page(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.rows = [row(0, 50.0, display_name="<script>alert(1)</script>")]
    page = await client.get("/c/autumn/running")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


@pytest.mark.parametrize("path", ["/nowhere", "/c/autumn/chess", "/c/winter/running", "/static/none.css"])
async def test_an_unknown_address_is_a_page_that_says_so(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 404
    assert "Traceback" not in page.text


async def test_without_a_challenge_home_says_so(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    leaderboard.exists = False
    page = await client.get("/")
    assert page.status_code == 200
    assert "<table" not in page.text


async def test_after_a_restart_a_stopped_leaderboard_leaves_the_last_known_board(
    client: httpx.AsyncClient, sessions: Sessions, leaderboard: FakeLeaderboard, auth: FakeAuth
) -> None:
    await client.get("/c/autumn/running")
    leaderboard.away = True
    restarted = httpx.ASGITransport(build(sessions, leaderboard, auth))
    async with httpx.AsyncClient(base_url="https://club.example", transport=restarted) as anew:
        page = await anew.get("/c/autumn/running")
    assert page.status_code == 200
    assert "Ania K." in page.text
    assert "As of" in page.text


async def test_a_members_only_challenge_asks_strangers_to_join(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.visibility = "members"
    page = await client.get("/c/autumn/running")
    assert page.status_code == 403
    assert "Ania K." not in page.text


async def test_every_page_allows_nothing_but_our_own_files(client: httpx.AsyncClient) -> None:
    for path in ("/", "/c/autumn/running", "/privacy", "/terms", "/join", "/nowhere"):
        page = await client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy, path
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text), path
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text), path


async def test_the_language_and_the_colours_can_be_chosen_without_javascript(client: httpx.AsyncClient) -> None:
    chosen = await client.post("/preferences", data={"lang": "pl", "theme": "dark", "back": "/privacy"})
    assert chosen.status_code == 303
    assert chosen.headers["location"] == "/privacy"
    page = await client.get("/privacy", headers={"Accept-Language": "en"})
    assert 'lang="pl"' in page.text


async def test_a_choice_never_leads_to_another_site(client: httpx.AsyncClient) -> None:
    for back in ("https://evil.example", "//evil.example", "/\\evil.example"):
        chosen = await client.post("/preferences", data={"lang": "pl", "back": back})
        assert chosen.headers["location"] == "/"


async def test_a_form_of_another_site_is_refused(client: httpx.AsyncClient) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await client.post("/sign-out", headers=headers)
        assert answer.status_code == 403
