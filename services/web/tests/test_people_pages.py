"""The pages of participants and of milestones, over the real leaderboard."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from leaderboard_helpers import add_challenge
from web_club import Club, member
from web_fakes import user_id

from leaderboard.milestones.use_cases import update_milestones
from leaderboard.participants.use_cases import choose_listed
from shared.contracts.events import ActivityRecorded
from testkit.databases import execute
from testkit.events import recorded

ELA, FILIP = 4, 5
PROFILE = f"/c/main/p/{user_id(ELA)}"
POLISH = {"Accept-Language": "pl"}


def today() -> date:
    return datetime.now(ZoneInfo("Europe/Warsaw")).date()  # where the challenges are


def outing(number: int, days_ago: int = 0, who: int = ELA, **fields: Any) -> ActivityRecorded:
    """A run or a ride at eight in the morning."""
    start = datetime.combine(today() - timedelta(days=days_ago), datetime.min.time()) + timedelta(hours=8)
    return recorded(number, user_id=user_id(who), local_start=start, start_at=start.replace(tzinfo=UTC), **fields)


@pytest.fixture
async def spring(club: Club) -> Club:
    """A challenge in its second week, with Ela and Filip."""
    await add_challenge(club.leaderboard, (today() - timedelta(days=9), today() + timedelta(days=4)), "Spring")
    await club.hear(member(ELA, "Ela N."), member(FILIP, "Filip J."))
    return club


async def read(club: Club, path: str, **headers: str) -> str:
    page = await club.client.get(path, headers=headers)
    assert page.status_code == 200, page.text
    assert "style=" not in page.text
    assert "<script" not in page.text.replace('<script src="/static/', "")
    return page.text


async def hide(club: Club, number: int) -> None:
    async with club.leaderboard.transaction() as session:
        await choose_listed(session, user_id(number), listed=False)
    await club.settle()


async def test_a_name_on_the_board_leads_to_what_that_person_has_done(spring: Club) -> None:
    await spring.hear(outing(1, 2, km=12.3), outing(2, 1, km=4), outing(3, 1, who=FILIP, km=30))
    board = await read_board(spring)
    assert f'href="{PROFILE}"' in board
    page = await read(spring, PROFILE)
    assert "<h1>Ela N.</h1>" in page
    assert '<td class="place">2</td><th scope="row"><a href="/c/main/running">Running</a></th>' in page
    assert '<td class="ranked">16.3</td>' in page
    assert "2 active days, the most 12.3 km on" in page
    assert len(re.findall(r'<rect class="l\d"', page)) == 2 + 4  # the legend has four
    assert "16.3 km together." in page


async def read_board(club: Club) -> str:
    return (await club.client.get("/c/main/running")).text


async def test_the_days_are_those_of_the_board_that_is_chosen(spring: Club) -> None:
    await spring.hear(outing(1, 2, km=12), outing(2, 1, km=50, sport_type="Ride"))
    assert "12 km together." in await read(spring, PROFILE)
    cycling = await read(spring, f"{PROFILE}?board=cycling")
    assert "50 km together." in cycling
    assert re.search(r'href="\?board=cycling#days" aria-current="true"', cycling)
    assert "12 km together." in await read(spring, f"{PROFILE}?board=nothing-like-that")
    assert (await spring.client.get(f"{PROFILE}?board={'x' * 200}")).status_code == 404


async def test_without_a_choice_the_days_are_those_of_a_board_with_something(spring: Club) -> None:
    await spring.hear(outing(2, 1, km=50, sport_type="Ride"))
    page = await read(spring, PROFILE)
    assert "50 km together." in page
    assert 'class="choices"' not in page  # there is nothing to choose


async def test_the_drawings_have_names_and_a_table_with_all_figures(spring: Club) -> None:
    await spring.hear(outing(1, 2, km=12), outing(2, 1, km=4.5))
    page = await read(spring, PROFILE)
    for name in re.findall(r'<svg[^>]* role="img" aria-labelledby="([^"]+)"', page):
        for part in name.split():
            assert page.count(f'id="{part}"') == 1
    table = page[page.index("<details>") :]
    assert re.findall(r"</th><td>(.*?)</td><td>(.*?)</td></tr>", table) == [("12.0", "12.0"), ("4.5", "16.5")]


async def test_a_profile_is_in_the_readers_language(spring: Club) -> None:
    await spring.hear(outing(1, 0, km=1.5), outing(2, 1, km=42.2))
    page = await read(spring, PROFILE, **POLISH)
    assert "niedz." in page
    assert "42,2" in page
    assert "2 aktywne dni" in page


async def test_search_engines_are_told_to_leave_people_out(spring: Club) -> None:
    no_index = '<meta name="robots" content="noindex">'
    assert no_index in await read(spring, PROFILE)
    assert no_index not in (await spring.client.get("/")).text


async def test_streaks_and_the_team_are_told(spring: Club) -> None:
    await spring.hear(*(outing(n, n) for n in (1, 2, 3, 7)))
    page = await read(spring, PROFILE)
    assert "<dt>Days in a row</dt><dd>3</dd>" in page
    assert "<dt>Longest streak</dt><dd>3 days</dd>" in page
    assert "<dt>Team</dt><dd>none</dd>" in page
    await spring.join(ELA)
    assert 'href="/c/main/teams">Find a team</a>' in await read(spring, PROFILE)
    await spring.client.post("/c/main/teams/new", data={"name": "Owls"})
    assert re.search(r'<dd><a href="/c/main/teams/\d+">Owls</a></dd>', await read(spring, PROFILE))


async def test_who_has_done_nothing_has_a_page_that_says_so(spring: Club) -> None:
    page = await read(spring, PROFILE)
    assert "Nothing that counts yet." in page
    assert "<svg role" not in page


async def test_before_the_challenge_begins_a_profile_says_so(club: Club) -> None:
    await add_challenge(club.leaderboard, (today() + timedelta(days=3), today() + timedelta(days=9)), "Spring")
    await club.hear(member(ELA, "Ela N."))
    assert "The challenge has not begun yet." in await read(club, PROFILE)


@pytest.mark.parametrize("path", [f"/c/main/p/{user_id(99)}", "/c/main/p/ela", f"/c/other/p/{user_id(ELA)}"])
async def test_who_is_not_there_has_no_page(spring: Club, path: str) -> None:
    page = await spring.client.get(path)
    assert page.status_code == 404
    assert "This page does not exist" in page.text


async def test_who_is_hidden_is_seen_by_nobody_but_themselves_who_are_told_so(spring: Club) -> None:
    await spring.hear(outing(1))
    await hide(spring, ELA)
    assert (await spring.client.get(PROFILE)).status_code == 404
    await spring.join(FILIP, "Filip J.")
    assert (await spring.client.get(PROFILE)).status_code == 404
    await spring.join(ELA)
    page = await read(spring, PROFILE)
    assert "You are hidden from the boards" in page
    assert '<td class="place">\u2013</td>' in page
    await spring.join(FILIP, "Filip J.", is_admin=True)
    assert "only they themselves and the organisers see this page" in await read(spring, PROFILE)


@pytest.mark.parametrize(("before", "after"), [(3, 3), (250, 115), (365, 0), (20, -10)])
async def test_a_profile_is_good_for_challenges_of_any_length(club: Club, before: int, after: int) -> None:
    await add_challenge(club.leaderboard, (today() - timedelta(days=before), today() + timedelta(days=after)), "X")
    await club.hear(member(ELA, "Ela N."), outing(1, before, km=5), outing(2, 12, km=5))
    page = await read(club, PROFILE)
    assert "km together." in page


async def test_a_board_may_have_a_percent_sign_in_its_name(spring: Club) -> None:
    await execute(spring.leaderboard, "update boards set name = 'Running 50%' where slug = 'running'")
    await execute(spring.leaderboard, "update boards set name = '5% s' where slug = '40-hours'")
    await spring.hear(outing(1))
    for path in (PROFILE, "/c/main/running", "/c/main/running?view=teams", "/c/main/milestones"):
        page = await spring.client.get(path)
        assert page.status_code == 200
        assert "50%" in page.text or "5% s" in page.text


# Milestones


async def reach(club: Club, *numbers: int) -> None:
    """These participants move for 40 hours, which is the milestone."""
    await club.hear(
        *(
            outing(100 + 10 * who + day, day, who=who, moving_time_s=8 * 3600, elapsed_time_s=8 * 3600)
            for who in numbers
            for day in range(5)
        )
    )
    while await update_milestones(club.leaderboard):
        pass
    await club.settle()


async def test_milestones_say_how_many_reached_them(spring: Club) -> None:
    page = await read(spring, "/c/main/milestones")
    assert '<a href="/c/main/milestones/40-hours">40 hours</a>' in page
    assert "<strong>40 h</strong> · nobody reached it yet" in page
    await reach(spring, ELA, FILIP)
    page = await read(spring, "/c/main/milestones")
    assert "2 people reached it" in page
    assert "<progress" not in page  # a stranger is nowhere


async def test_a_participant_sees_how_far_they_are_and_then_when_they_were_there(spring: Club) -> None:
    await spring.join(ELA)
    assert "0:00 of 40 h" in await read(spring, "/c/main/milestones")
    await spring.hear(outing(1, moving_time_s=10 * 3600 + 60))
    page = await read(spring, "/c/main/milestones/40-hours")
    assert re.search(r'<progress max="144000.0" value="36060.0" aria-label="My progress: 40 hours">', page)
    assert "10:01 of 40 h" in page
    await reach(spring, ELA)
    for path in ("/c/main/milestones", "/c/main/milestones/40-hours"):
        page = await read(spring, path)
        assert "You reached it on" in page
        assert "<progress" not in page


async def test_a_milestone_lists_who_reached_it_without_places(spring: Club) -> None:
    assert "Nobody has reached it yet." in await read(spring, "/c/main/milestones/40-hours")
    await reach(spring, FILIP, ELA)
    await spring.join(ELA)
    page = await read(spring, "/c/main/milestones/40-hours")
    assert re.findall(r'href="/c/main/p/([^"]+)"', page) == sorted(str(user_id(who)) for who in (ELA, FILIP))
    assert 'class="place"' not in page
    assert page.count('class="me"') == 1
    await hide(spring, FILIP)
    assert "1 person reached it" in await read(spring, "/c/main/milestones/40-hours")


async def test_who_reached_a_milestone_is_listed_page_by_page(spring: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.milestones.routes.PAGE_ROWS", 1)
    await reach(spring, FILIP, ELA)
    first, second = [await read(spring, f"/c/main/milestones/40-hours?page={page}") for page in (1, 2)]
    assert 'href="/c/main/milestones/40-hours?page=2" rel="next"' in first
    assert 'href="/c/main/milestones/40-hours?page=1" rel="prev"' in second
    names = [re.findall(r'href="/c/main/p/([^"]+)"', page) for page in (first, second)]
    assert sorted(names) == [[str(user_id(ELA))], [str(user_id(FILIP))]]


async def test_a_challenge_without_milestones_says_so(spring: Club) -> None:
    await execute(spring.leaderboard, "delete from boards where slug = '40-hours'")
    await spring.settle()
    page = await read(spring, "/c/main/milestones")
    assert "This challenge has no milestones." in page
    assert (await spring.client.get("/c/main/milestones/40-hours")).status_code == 404


async def test_milestones_are_said_in_polish(spring: Club) -> None:
    page = await read(spring, "/c/main/milestones", **POLISH)
    assert "Progi" in page
