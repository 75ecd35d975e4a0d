"""Pages beside boards in a real browser: they change while somebody else acts, and leave alone what is in use."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from leaderboard_helpers import add_challenge
from playwright.async_api import Browser, Page, Route, expect
from web_club import Club, member
from web_fakes import FakeAuth, user_id
from web_site import join, open_page, serve_club

from leaderboard.milestones.use_cases import update_milestones
from leaderboard.participants.use_cases import choose_listed
from leaderboard.teams import use_cases as teams
from shared.contracts.events import ActivityRecorded
from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import recorded, sync_finished
from testkit.waiting import wait_until
from web.live import changes

ELA, FILIP = 4, 5
PROFILE = f"/c/main/p/{user_id(FILIP)}"
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""

#: What moved since then: each time when, by how much, and of all that did the text and its top before and after.
MOVED = """since => new Promise(resolve => {
    const moved = [];
    new PerformanceObserver(list => {
        for (const { startTime, value, sources } of list.getEntries())
            if (startTime >= since) moved.push([startTime, value, sources.map(({ node, previousRect, currentRect }) =>
                [node?.textContent.trim().slice(0, 40), previousRect.y, currentRect.y])]);
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(moved))));
})"""


def outing(number: int, who: int = FILIP, **fields: Any) -> ActivityRecorded:
    """A run of its own hour of today."""
    start = datetime.combine(datetime.now(UTC).date(), datetime.min.time()) + timedelta(hours=3 * number)
    return recorded(number, user_id=user_id(who), local_start=start, start_at=start.replace(tzinfo=UTC), **fields)


@pytest.fixture
async def address(club: Club, database: Database, auth: FakeAuth) -> AsyncIterator[str]:
    """The site of a club of two, who have done something."""
    day: date = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (day - timedelta(days=9), day + timedelta(days=4)), "Spring")
    await club.hear(member(ELA, "Ela N."), member(FILIP, "Filip J."))
    await club.hear(outing(1, km=5), outing(2, ELA, km=3))
    async with serve_club(club, database, auth) as address:
        yield address


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    async with open_page(browser, address) as page:
        yield page


async def visit(page: Page, path: str) -> None:
    """Open a page, until it is told of changes."""
    await page.goto(path)
    await page.evaluate("window.sameDocument = true")
    await expect(page.locator("#live .state")).to_be_visible()


async def add_team(club: Club, who: int, name: str) -> int:
    async with club.leaderboard.transaction() as session:
        challenge = (await fetch_rows(club.leaderboard, "select id from challenges"))[0].id
        team_id = await teams.create_team(session, challenge, user_id(who), name)
    await club.settle()
    return team_id


async def is_same(page: Page) -> bool:
    return bool(await page.evaluate("window.sameDocument"))


async def test_the_page_of_a_team_changes_while_its_members_act(page: Page, club: Club) -> None:
    team = await add_team(club, FILIP, "Owls")
    await visit(page, f"/c/main/teams/{team}")
    details = page.locator("details")
    await details.locator("summary").click()
    await details.locator("summary").focus()
    await club.hear(outing(3, km=20))
    await expect(page.locator("#members")).to_have_text("Running: 25 km together")
    await expect(page.locator(f"#p-{user_id(FILIP)} td")).to_contain_text("25.0")
    await expect(details).to_have_attribute("open", "")
    await expect(details.locator("summary")).to_be_focused()
    assert await is_same(page)


async def test_a_button_keeps_the_focus_and_its_team_when_another_one_comes_before_it(page: Page, club: Club) -> None:
    team = await add_team(club, FILIP, "Owls")
    await join(page)
    await visit(page, "/c/main/teams")
    button = page.get_by_role("button", name="Join Owls")
    await button.focus()
    await club.hear(member(6, "Ania K."))
    await add_team(club, 6, "Bats")
    await expect(page.locator("tbody th").first).to_have_text("Bats")
    await expect(button).to_be_focused()
    await expect(button).to_have_id(f"join-{team}")
    assert await is_same(page)


async def test_a_milestone_and_a_profile_change(page: Page, club: Club, browser: Browser, address: str) -> None:
    await visit(page, "/c/main/milestones/40-hours")
    await expect(page.locator("#changing")).to_contain_text("Nobody has reached it yet.")
    async with open_page(browser, address) as profile:
        await visit(profile, PROFILE)
        hours = {"moving_time_s": 41 * 3600, "elapsed_time_s": 41 * 3600}
        await club.hear(outing(3, km=20, **hours))
        while await update_milestones(club.leaderboard):
            pass
        await club.settle()
        await expect(page.locator("#reached")).to_have_text("1 person reached it", timeout=10_000)
        await expect(profile.locator(".totals")).to_contain_text("25.0", timeout=10_000)
        assert await is_same(page)
        assert await is_same(profile)


async def test_own_activities_come_in_and_leave_what_is_in_use_alone(page: Page, club: Club) -> None:
    await join(page)
    await visit(page, "/c/main/me")
    exclude = page.locator("#a-2").get_by_role("button", name="Exclude")
    await exclude.focus()
    await club.hear(outing(4, ELA, km=1.5))
    await expect(page.locator("#a-4")).to_contain_text("1.50 km")
    await expect(exclude).to_be_focused()
    await exclude.press("Enter")
    await expect(page.locator("#said")).to_contain_text("It does not count any more")
    await club.hear(outing(5, ELA, km=2.5))
    await expect(page.locator("#a-5")).to_contain_text("2.50 km", timeout=10_000)
    await expect(page.locator("#a-2")).to_contain_text("you excluded it")
    await expect(page.locator("#said")).to_contain_text("It does not count any more")
    assert await is_same(page)


async def test_an_activity_that_counts_nowhere_comes_in_when_it_was_fetched(
    page: Page, club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "OWN_DELAY_S", 0.1)
    await join(page)
    await visit(page, "/c/main/me")
    await club.hear(outing(4, ELA, sport_type="Swim"))
    await club.hear(sync_finished(user_id(ELA)))
    await expect(page.locator("#a-4")).to_contain_text("this sport does not count there", timeout=10_000)
    assert await is_same(page)


async def test_a_paused_page_stays_as_it_is_until_it_is_resumed(page: Page, club: Club) -> None:
    team = await add_team(club, FILIP, "Owls")
    await visit(page, f"/c/main/teams/{team}?board=running")
    await page.get_by_role("link", name="Pause").click()
    await page.wait_for_url("**?board=running&live=0")
    await expect(page.locator("main")).to_contain_text("Updates are paused.")
    assert await page.locator("script, [hx-get], [hx-sse\\:connect]").count() == 0
    await page.get_by_role("link", name="Resume").click()
    await page.wait_for_url("**?board=running")


async def test_a_hidden_tab_lets_go_and_catches_up_when_it_is_looked_at(page: Page, club: Club) -> None:
    streams = club.sites[-1].state.live_pages.streams
    await visit(page, PROFILE)
    assert streams.count == 1
    await page.evaluate(HIDE, True)
    await wait_until(lambda: streams.count == 0, "the hidden tab lets go")
    await club.hear(outing(3, km=20))
    await page.evaluate(HIDE, False)
    await expect(page.locator(".totals")).to_contain_text("25.0")
    assert await is_same(page)


async def test_an_answer_from_before_what_the_visitor_did_is_not_shown(page: Page, club: Club) -> None:
    await join(page)
    await visit(page, "/c/main/me")
    asked, done = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await done.wait()
        await route.fulfill(response=answer)

    await page.route("**/c/main/me", hold, times=1)
    await club.hear(outing(4, ELA, km=1.5))
    await asked.wait()
    await page.locator("#a-2").get_by_role("button", name="Exclude").click()
    await expect(page.locator("#a-2")).to_contain_text("you excluded it")
    await page.evaluate("""window.lost = 0; new MutationObserver(() => {
        if (!document.getElementById("a-2").textContent.includes("you excluded it")) window.lost += 1;
    }).observe(document.getElementById("changing"), { childList: true, subtree: true, characterData: true })""")
    done.set()
    await expect(page.locator("#a-4")).to_contain_text("1.50 km")
    assert await page.evaluate("window.lost") == 0


async def test_a_page_that_got_no_answer_asks_again(browser: Browser, address: str, club: Club) -> None:
    context = await browser.new_context(base_url=address, locale="en-GB")
    page = await context.new_page()
    await page.clock.install()
    await visit(page, PROFILE)
    failed = asyncio.Event()

    async def fail(route: Route) -> None:
        await route.fulfill(status=503)
        failed.set()

    await page.route(f"**{PROFILE}", fail, times=1)
    await club.hear(outing(3, km=20))
    await failed.wait()
    await expect(page.locator(".totals")).to_contain_text("5.0")
    await page.clock.run_for(10_000)
    await expect(page.locator(".totals")).to_contain_text("25.0")
    assert await is_same(page)
    await context.close()


async def test_who_is_not_to_be_seen_any_more_leaves_the_pages_that_are_open(
    browser: Browser, address: str, club: Club
) -> None:
    context = await browser.new_context(base_url=address, locale="en-GB")
    page = await context.new_page()
    await visit(page, PROFILE)
    async with club.leaderboard.transaction() as session:
        await choose_listed(session, user_id(FILIP), listed=False)
    await club.settle()
    await expect(page.locator("main")).to_contain_text("This page does not exist")
    await context.close()


@pytest.mark.parametrize("language", ["en", "pl"])
async def test_nothing_moves_when_a_page_gets_its_content_again(
    browser: Browser, address: str, language: str
) -> None:
    context = await browser.new_context(base_url=address, viewport={"width": 360, "height": 740}, locale=language)
    page = await context.new_page()
    for path in ("/c/main/milestones", "/c/main/milestones/40-hours", "/c/main/teams", PROFILE):
        await page.goto(path)
        await expect(page.locator("#live .state")).to_be_visible()
        since = await page.evaluate("performance.now()")
        async with page.expect_response(re.compile(path)):
            await page.evaluate("htmx.trigger(document.getElementById('changing'), 'challenge-changed')")
        assert await page.evaluate(MOVED, since) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await context.close()
