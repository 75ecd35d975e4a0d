"""The pages of teams, and what people do there, over the real leaderboard."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from leaderboard_helpers import add_challenge
from web_club import Club, member
from web_fakes import user_id
from web_sign_in import sign_in

from leaderboard.participants.use_cases import choose_listed
from shared.contracts.events import ActivityRecorded
from testkit.databases import execute, fetch_rows
from testkit.events import recorded

ELA, FILIP, GRAZYNA = 4, 5, 6
NAMES = {ELA: "Ela N.", FILIP: "Filip J.", GRAZYNA: "Grażyna B."}
TEAMS = "/c/main/teams"


@pytest.fixture
async def spring(club: Club) -> Club:
    """A challenge that has begun, with three people."""
    day = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (day - timedelta(days=9), day + timedelta(days=4)), "Spring")
    await club.hear(*(member(number, name) for number, name in NAMES.items()))
    return club


def outing(number: int, who: int, km: float, **fields: Any) -> ActivityRecorded:
    start = datetime.combine(datetime.now(UTC).date(), datetime.min.time()) + timedelta(hours=8)
    return recorded(number, user_id=user_id(who), km=km, local_start=start, **fields)


async def sign_in_as(club: Club, number: int) -> None:
    club.auth.sign_in_as(number, NAMES[number])
    await sign_in(club.client)


async def read(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    page = await client.get(path, headers=headers)
    assert page.status_code == 200, page.text
    assert "style=" not in page.text
    return page.text


async def create(club: Club, number: int, name: str) -> str:
    """Somebody creates a team; returns its address."""
    await sign_in_as(club, number)
    answer = await club.client.post(f"{TEAMS}/new", data={"name": name})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?said=created")
    return str(answer.headers["location"]).partition("?")[0]


async def act(club: Club, path: str, leads_to: str) -> str:
    """Send a form without fields; returns the page that it leads to, which says something."""
    answer = await club.client.post(path)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    page = await read(club.client, leads_to)
    assert 'role="status"' in page
    return page


async def close(club: Club) -> None:
    await execute(club.leaderboard, "update challenges set closed_at = now()")
    await club.settle()


async def test_without_teams_the_page_invites_to_create_one(spring: Club) -> None:
    page = await read(spring.client, TEAMS)
    assert "There are no teams yet." in page
    assert "Create a team" not in page
    assert f'href="/join?to={TEAMS}">Join the challenge</a>' in page
    board = await read(spring.client, "/c/main/running?view=teams")
    assert 'href="/join?to=/c/main/running%3Fview%3Dteams">Join</a>' in board
    await sign_in_as(spring, ELA)
    assert f'href="{TEAMS}/new">Create a team</a>' in await read(spring.client, TEAMS)


async def test_whoever_creates_a_team_is_told_so_on_its_page(spring: Club) -> None:
    path = await create(spring, ELA, "  Night Owls ")
    page = await read(spring.client, f"{path}?said=created")
    assert "The team is there, and you are its first member." in page
    assert "<h1>Night Owls</h1>" in page
    assert "1 member of at most 5." in page
    assert "without you the team is deleted" in page


async def test_a_name_that_is_taken_is_said_beside_the_field_and_the_input_is_kept(spring: Club) -> None:
    await create(spring, ELA, "Night Owls")
    await sign_in_as(spring, FILIP)
    answer = await spring.client.post(f"{TEAMS}/new", data={"name": "night  OWLS"})
    assert answer.status_code == 422
    assert 'value="night  OWLS"' in answer.text
    assert 'aria-invalid="true" aria-describedby="name-problem"' in answer.text
    assert '<span class="error" id="name-problem">There is a team of that name already.' in answer.text


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x07b"])
async def test_a_name_that_is_none_is_said_beside_the_field(spring: Club, name: str) -> None:
    await sign_in_as(spring, ELA)
    answer = await spring.client.post(f"{TEAMS}/new", data={"name": name}, headers={"Accept-Language": "pl"})
    assert answer.status_code == 422
    assert "Podaj nazwę, która ma od 1 do 60 znaków." in answer.text


async def test_whoever_is_not_signed_in_is_led_to_where_that_is_done(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    spring.client.cookies.clear()
    for form in (f"{TEAMS}/new", f"{TEAMS}/leave", f"{path}/join", f"{path}/edit", f"{path}/delete"):
        answer = await spring.client.post(form, data={"name": "Bats"})
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/join")
    page = await read(spring.client, path)
    assert 'method="post" action="/c/' not in page


async def test_joining_and_leaving_are_one_click_each(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await sign_in_as(spring, FILIP)
    assert f'action="{path}/join"' in await read(spring.client, TEAMS)
    page = await act(spring, f"{path}/join", f"{path}?said=joined")
    assert "Welcome to the team." in page
    assert "2 members of at most 5." in page
    page = await act(spring, f"{TEAMS}/leave", f"{TEAMS}?said=left")
    assert "You are in no team now." in page
    await act(spring, f"{TEAMS}/leave", f"{TEAMS}?said=left")  # a second click does no harm


async def test_whoever_has_a_team_sees_it_first_and_changes_only_knowingly(spring: Club) -> None:
    owls, bats = await create(spring, ELA, "Owls"), await create(spring, FILIP, "Bats")
    page = await read(spring.client, TEAMS)
    assert page.index("My team") < page.index(f'href="{bats}"') < page.index(f'href="{owls}"')
    assert "/join" not in page[page.index("<main") :]
    assert page.count('class="me"') == 1
    other = await read(spring.client, owls)
    assert "Change to this team" in other
    assert "You leave your present team for it: Bats." in other
    assert "without you the team is deleted" in other
    await act(spring, f"{owls}/join", f"{owls}?said=joined")
    assert (await spring.client.get(bats)).status_code == 404


async def test_of_two_who_take_the_last_place_at_once_one_is_told_kindly(spring: Club) -> None:
    await execute(spring.leaderboard, "update challenges set team_size = 2")
    await spring.settle()
    path = await create(spring, ELA, "Owls")
    browsers = []
    for number in (FILIP, GRAZYNA):
        spring.client.cookies.clear()
        await sign_in_as(spring, number)
        browsers.append(dict(spring.client.cookies))
    spring.client.cookies.clear()
    answers = await asyncio.gather(
        *(
            spring.client.post(f"{path}/join", headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())})
            for cookies in browsers
        )
    )
    assert sorted(answer.headers["location"] for answer in answers) == [f"{path}?said=joined", f"{TEAMS}?said=full"]
    page = await read(spring.client, f"{TEAMS}?said=full")
    assert "somebody else took its last place" in page


async def test_a_full_team_says_so_and_has_no_button(spring: Club) -> None:
    await execute(spring.leaderboard, "update challenges set team_size = 1")
    await spring.settle()
    path = await create(spring, ELA, "Owls")
    await sign_in_as(spring, FILIP)
    assert "This team is full." in await read(spring.client, path)
    page = await read(spring.client, TEAMS)
    assert "<td>full</td>" in page
    assert "/join" not in page


async def test_the_creator_renames_a_team(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    assert f'href="{path}/edit"' in await read(spring.client, path)
    assert 'value="Owls"' in await read(spring.client, f"{path}/edit")
    answer = await spring.client.post(f"{path}/edit", data={"name": "Larks"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?said=renamed")
    page = await read(spring.client, f"{path}?said=renamed")
    assert "<h1>Larks</h1>" in page
    assert "The team has its new name." in page
    wrong = await spring.client.post(f"{path}/edit", data={"name": " "})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text


async def test_the_creator_deletes_a_team_after_being_asked(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    question = await read(spring.client, f"{path}/delete")
    assert "Delete “Owls”?" in question
    assert "It has 1 member" in question
    page = await act(spring, f"{path}/delete", f"{TEAMS}?said=deleted")
    assert "The team is deleted." in page
    assert (await spring.client.get(path)).status_code == 404
    await act(spring, f"{path}/delete", f"{TEAMS}?said=deleted")  # a second click does no harm


async def test_nobody_but_the_creator_changes_a_team(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await sign_in_as(spring, FILIP)
    await act(spring, f"{path}/join", f"{path}?said=joined")
    assert "/edit" not in await read(spring.client, path)
    for form in (f"{path}/edit", f"{path}/delete"):
        assert (await spring.client.get(form)).status_code == 404
        assert (await spring.client.post(form, data={"name": "Bats"})).status_code == 404
    assert [row.name for row in await fetch_rows(spring.leaderboard, "select name from teams")] == ["Owls"]


async def test_a_team_shows_what_each_member_brings_in_and_its_progress(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await sign_in_as(spring, FILIP)
    await act(spring, f"{path}/join", f"{path}?said=joined")
    await spring.hear(outing(1, ELA, 5), outing(2, FILIP, 20), outing(3, ELA, 30, sport_type="Ride"))
    page = await read(spring.client, path)
    assert "Running: 25 km together" in page
    members = re.findall(
        r'href="/c/main/p/[^"]+">(.*?)</a></th><td>(.*?)<svg.*?width="([\d.]+)" height="10"/></svg>', page
    )
    assert members == [("Filip J.", "20.0", "100.0"), ("Ela N.", "5.0", "25.0")]
    assert "The sum after each day, now 25 km" in page
    cycling = await read(spring.client, f"{path}?board=cycling")
    assert "Cycling: 30 km together" in cycling
    assert 'href="?board=cycling#boards" aria-current="true"' in cycling


async def test_a_hidden_member_is_counted_and_not_named(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await sign_in_as(spring, FILIP)
    await act(spring, f"{path}/join", f"{path}?said=joined")
    async with spring.leaderboard.transaction() as session:
        await choose_listed(session, user_id(ELA), listed=False)
    await spring.settle()
    page = await read(spring.client, path)
    assert "2 members of at most 5, 1 of them hidden from the boards." in page
    assert "Ela N." not in page


async def test_a_row_of_the_team_board_leads_to_the_team(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await spring.hear(outing(1, ELA, 5))
    board = (await spring.client.get("/c/main/running?view=teams")).text
    assert f'href="{path}"' in board


async def test_teams_are_listed_page_by_page(spring: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.teams.routes.PAGE_ROWS", 1)
    await create(spring, ELA, "Owls")
    await create(spring, FILIP, "Bats")
    spring.client.cookies.clear()
    first, second = [await read(spring.client, f"{TEAMS}?page={page}") for page in (1, 2)]
    assert ("Bats" in first, "Owls" in first) == (True, False)
    assert ("Bats" in second, "Owls" in second) == (False, True)
    assert f'href="{TEAMS}?page=2" rel="next"' in first
    assert "There are no teams on this page." in await read(spring.client, f"{TEAMS}?page=9")


async def test_the_teams_of_a_closed_challenge_stay_as_they_are(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await close(spring)
    closed = "This challenge is closed, so its teams stay as they are."
    for page in (TEAMS, path, f"{TEAMS}/new", f"{path}/edit", f"{path}/delete"):
        text = await read(spring.client, page)
        assert closed in text
        assert 'method="post" action="/c/' not in text
    for form in (f"{TEAMS}/leave", f"{path}/delete", f"{path}/join"):
        answer = await spring.client.post(form)
        assert answer.headers["location"].endswith("?said=closed")
        assert closed in await read(spring.client, answer.headers["location"])
    for form in (f"{TEAMS}/new", f"{path}/edit"):
        answer = await spring.client.post(form, data={"name": "Bats"})
        assert answer.status_code == 422
        assert closed in answer.text
    assert [row.name for row in await fetch_rows(spring.leaderboard, "select name from teams")] == ["Owls"]


async def test_who_changes_a_team_just_after_the_challenge_is_closed_is_told(spring: Club) -> None:
    path = await create(spring, ELA, "Owls")
    await execute(spring.leaderboard, "update challenges set closed_at = now()")  # which the site does not know yet
    closed = "This challenge is closed, so its teams stay as they are."
    for form in (f"{TEAMS}/leave", f"{path}/delete", f"{path}/join"):
        answer = await spring.client.post(form)
        assert answer.headers["location"] == f"{TEAMS}?said=closed"
    for form in (f"{TEAMS}/new", f"{path}/edit"):
        answer = await spring.client.post(form, data={"name": "Bats"})
        assert answer.status_code == 422
        assert closed in answer.text
    assert [row.name for row in await fetch_rows(spring.leaderboard, "select name from teams")] == ["Owls"]


async def test_what_is_not_a_team_is_not_found(spring: Club) -> None:
    for path in (f"{TEAMS}/999", f"{TEAMS}/owls", f"{TEAMS}/{2**70}", "/c/other/teams", f"{TEAMS}?page=0"):
        assert (await spring.client.get(path)).status_code == 404
    await sign_in_as(spring, ELA)
    page = await act(spring, f"{TEAMS}/999/join", f"{TEAMS}?said=gone")
    assert "not there any more" in page


async def test_while_leaderboard_is_away_the_form_keeps_its_input(
    spring: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await create(spring, ELA, "Owls")

    async def fail(*_: object, **__: object) -> None:
        raise httpx.ConnectError("away")

    monkeypatch.setattr(httpx.AsyncClient, "send", only_for_site(httpx.AsyncClient.send, fail))
    for form in (f"{TEAMS}/new", f"{path}/edit"):
        answer = await spring.client.post(form, data={"name": "Bats"})
        assert answer.status_code == 503
        assert 'value="Bats"' in answer.text
        assert "because a part of the site is away" in answer.text
    for form, back in ((f"{TEAMS}/leave", TEAMS), (f"{path}/join", path), (f"{path}/delete", path)):
        answer = await spring.client.post(form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{back}?said=away")


def only_for_site(send: Any, otherwise: Any) -> Any:
    """What the browser sends arrives; what the site sends to leaderboard does not."""

    async def choose(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> Any:
        is_browser = request.url.host == "club.example"
        return await (send if is_browser else otherwise)(client, request, **options)

    return choose
