"""The pages as HTML, over fakes of the other services."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from web_fakes import FakeLeaderboard, entry

from shared.contracts.leaderboard_api import BoardInfo, BoardMetric

POLISH = {"Accept-Language": "pl-PL,pl;q=0.9,en;q=0.5"}


def numbers_of(html: str, name: str) -> list[str]:
    cells = re.search(rf"{name}</a></th>(.*?)</tr>", html)
    assert cells
    return re.findall(r"<td[^>]*>(.*?)</td>", cells[1])


def today() -> Any:
    return datetime.now(UTC).date()


async def test_home_shows_the_first_board_of_the_current_challenge(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "Autumn Kilometres" in page.text
    assert 'href="/c/autumn/running" aria-current="page"' in page.text
    assert "Join the challenge" in page.text


async def test_numbers_are_written_as_readers_expect_them(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.rows = [entry(0, 1042.24, moving_time_s=360_059, elev_gain_m=2345.6, activities=88)]
    english = await client.get("/c/autumn/running")
    polish = await client.get("/c/autumn/running", headers=POLISH)
    assert numbers_of(english.text, "Ania K.") == ["1,042.2", "100:00", "2,346", "88"]
    assert numbers_of(polish.text, "Ania K.") == ["1\xa0042,2", "100:00", "2\xa0346", "88"]


async def test_the_ranked_column_alone_is_marked(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn/climbing")
    marked = re.findall(r'<th scope="col" class="ranked" aria-sort="descending">(\w+)', page.text)
    assert marked == ["Climb"]
    assert page.text.count("aria-sort") == 1


async def test_points_are_shown_where_the_board_ranks_by_them(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.boards += (BoardInfo(slug="points", name="Points", metric=BoardMetric.POINTS),)
    leaderboard.rows = [entry(0, 50, points=1234.56)]
    page = await client.get("/c/autumn/points", headers=POLISH)
    marked = re.findall(r'<th scope="col" class="ranked" aria-sort="descending"><span class="wide">(\w+)', page.text)
    assert marked == ["Punkty"]
    assert numbers_of(page.text, "Ania K.")[-1] == "1\xa0234,6"
    other = (await client.get("/c/autumn/running", headers=POLISH)).text
    assert "Pkt" in page.text
    assert "Pkt" not in other
    assert len(numbers_of(other, "Ania K.")) == 4


async def test_people_who_tie_share_a_place(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    leaderboard.rows = [entry(0, 50), entry(1, 50), entry(2, 40)]
    page = await client.get("/c/autumn/running")
    assert re.findall(r'<td class="place">(\d+)</td>', page.text) == ["1", "1", "3"]


async def test_names_are_escaped(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    leaderboard.rows = [entry(0, 50, display_name="<script>alert(1)</script>")]
    page = await client.get("/c/autumn/running")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text


async def test_an_empty_board_says_what_will_fill_it(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    leaderboard.rows = []
    page = await client.get("/")
    assert "The first activity recorded on Strava will open this board." in page.text


@pytest.mark.parametrize(
    ("first", "last", "english", "polish"),
    [
        (-5, 4, "5 days left", "Zostało 5 dni"),
        (-5, 1, "2 days left", "Zostały 2 dni"),
        (-5, 0, "Last day", "Ostatni dzień"),
        (1, 9, "Starts tomorrow", "Start jutro"),
        (22, 30, "Starts in 22 days", "Start za 22 dni"),
        (-9, -1, "Ended", "Zakończone"),
    ],
)
async def test_home_tells_in_words_how_long_the_challenge_runs(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard, *, first: int, last: int, english: str, polish: str
) -> None:
    context = client.app.state.context  # type: ignore[attr-defined]
    noon = datetime.now(UTC).replace(hour=12)
    client.app.state.context = type(context)(**{**vars(context), "clock": lambda: noon})  # type: ignore[attr-defined]
    leaderboard.first_day, leaderboard.last_day = today() + timedelta(days=first), today() + timedelta(days=last)
    assert english in (await client.get("/")).text
    assert polish in (await client.get("/", headers=POLISH)).text


async def test_without_a_challenge_home_says_so(client: httpx.AsyncClient, leaderboard: FakeLeaderboard) -> None:
    leaderboard.exists = False
    page = await client.get("/")
    assert page.status_code == 200
    assert "No challenge at the moment" in page.text


async def test_without_the_leaderboard_service_the_last_known_board_is_shown(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard, other_replica: httpx.AsyncClient
) -> None:
    await client.get("/c/autumn/running")
    leaderboard.away = True
    for path in ("/", "/c/autumn/running"):
        page = await other_replica.get(path)  # which has never seen the board itself
        assert page.status_code == 200
        assert "Ania K." in page.text
        assert "These are the last known results." in page.text
        assert "22 Nov, 21:00" in page.text


async def test_without_the_leaderboard_service_and_any_memory_a_friendly_page_answers(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.away = True
    for path in ("/", "/c/autumn/running"):
        page = await client.get(path)
        assert page.status_code == 503
        assert "Taking a short rest" in page.text


@pytest.mark.parametrize(
    "path", ["/nowhere", "/c/autumn/rowing", "/c/..%2f..%2fx/y", "/c/%F0%9F%9A%B4/x", "/static/x.css"]
)
async def test_unknown_paths_get_a_page_in_the_readers_language(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path, headers=POLISH)
    assert page.status_code == 404
    assert "Takiej strony nie ma" in page.text


async def test_a_mistake_of_ours_shows_no_trace(client: httpx.AsyncClient) -> None:
    def broken(*_: Any) -> str:
        raise ZeroDivisionError("a secret detail")

    client.app.state.boards._render = broken  # type: ignore[attr-defined]
    client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    page = await client.get("/")
    assert page.status_code == 500
    assert "That was our mistake" in page.text
    assert "secret detail" not in page.text
    assert "Content-Security-Policy" in page.headers


async def test_members_only_boards_are_closed_to_guests(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.visibility = "members"
    for path in ("/", "/c/autumn/running", "/live/c/autumn/running"):
        page = await client.get(path)
        assert page.status_code == 403
        assert "Ania K." not in page.text
        assert "For participants only" in page.text


async def test_paused_boards_have_no_stream_and_a_way_to_resume(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn/running?live=0")
    assert "hx-sse" not in page.text
    assert "<script" not in page.text
    assert '<a href="/c/autumn/running">Resume</a>' in page.text


async def test_language_and_theme_are_chosen_by_form_and_remembered(client: httpx.AsyncClient) -> None:
    assert '<html lang="pl">' in (await client.get("/privacy", headers=POLISH)).text
    chosen = await client.post("/preferences", data={"lang": "pl", "back": "/privacy"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/privacy")
    await client.post("/preferences", data={"theme": "dark", "back": "/privacy"})
    assert '<html lang="pl" data-theme="dark">' in (await client.get("/privacy")).text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "evil"])
async def test_preferences_never_lead_to_another_site(client: httpx.AsyncClient, back: str) -> None:
    chosen = await client.post("/preferences", data={"lang": "en", "back": back})
    assert chosen.headers["location"] == "/"


async def test_old_challenge_links_lead_to_the_first_board(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn")
    assert (page.status_code, page.headers["location"]) == (303, "/c/autumn/running")


async def test_a_link_that_is_shared_tells_what_it_leads_to(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.name = 'Kilometres "with" <quotes>'
    html = (await client.get("/c/autumn/running")).text
    told = dict(re.findall(r'<meta (?:name|property)="([a-z:_]+)" content="([^"]*)">', html))
    assert told["og:title"] == "Running, Kilometres &#34;with&#34; &lt;quotes&gt;"
    assert told["description"] == told["og:description"]
    assert told["description"].startswith("Kilometres &#34;with&#34; &lt;quotes&gt;: boards")
