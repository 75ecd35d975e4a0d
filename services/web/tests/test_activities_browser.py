"""Own activities and the first import in a real browser: what changes is changed in place."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from leaderboard_helpers import add_challenge
from playwright.async_api import Browser, Page, expect
from web_club import Club, member
from web_fakes import FakeAuth, user_id
from web_site import join, open_page, serve_club

from shared.database.engine import Database
from testkit.events import recorded, sync_finished

ELA = user_id(4)
TODAY = datetime.now(UTC).date()


@pytest.fixture
async def address(club: Club, database: Database, auth: FakeAuth) -> AsyncIterator[str]:
    """The site of the club where a browser reaches it, with two recordings of one outing and another one."""
    await add_challenge(club.leaderboard, (TODAY - timedelta(days=9), TODAY + timedelta(days=9)), "Spring")
    morning = datetime.combine(TODAY, datetime.min.time()).replace(hour=8)
    for number, km, start in ((1, 10.0, morning), (2, 9.0, morning), (3, 5.0, morning + timedelta(hours=6))):
        times = {"local_start": start, "start_at": start.replace(tzinfo=UTC)}
        await club.hear(recorded(number, user_id=ELA, km=km, **times))
    await club.hear(member(4, "Ela N."))
    auth.first_time = True
    async with serve_club(club, database, auth) as address:
        yield address


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """Somebody who has just joined, at the page that welcomes them."""
    async with open_page(browser, address) as page:
        await join(page)
        await page.wait_for_url("**/welcome")
        yield page


async def test_the_import_is_shown_until_it_is_done_and_then_no_more_is_asked(page: Page, club: Club) -> None:
    await expect(page.locator("#import-said")).to_have_text("3 activities so far, and more are coming in.")
    await page.evaluate("window.sameDocument = true")
    await club.hear(sync_finished(ELA))
    await expect(page.locator("#import-said")).to_have_text("Done: 3 activities are here.", timeout=15_000)
    await expect(page.locator("#import [hx-get]")).to_have_count(0)
    assert await page.evaluate("window.sameDocument")


async def test_a_choice_changes_the_page_in_place_and_leaves_the_focus_where_it_was(page: Page) -> None:
    await page.goto("/c/main/me")
    await page.evaluate("window.sameDocument = true")
    exclude = page.locator("#a-3").get_by_role("button", name="Exclude")
    await exclude.focus()
    await exclude.press("Enter")
    await expect(page.locator("#a-3")).to_contain_text("you excluded it")
    await expect(page.locator("#a-3").get_by_role("button", name="Include again")).to_be_focused()
    await expect(page.locator("#said")).to_contain_text("It does not count any more")
    await page.locator("#a-2").get_by_role("button", name="Count this one instead").press("Enter")
    await expect(page.locator("#a-2")).to_contain_text("Running: counts with 9.00 km")
    await expect(page.locator("#a-1")).to_contain_text("another recording of the same time counts in its place")
    await expect(page.locator("#a-2").get_by_role("button", name="Let the rules choose")).to_be_focused()
    assert await page.evaluate("window.sameDocument")


async def test_a_fetch_is_asked_for_and_waited_for_in_place(page: Page, club: Club) -> None:
    await page.goto("/c/main/me")
    await page.get_by_role("button", name="Fetch now").press("Enter")
    await expect(page.locator("#sync-said")).to_contain_text("being")
    await club.hear(sync_finished(ELA, finished_at=datetime.now(UTC) + timedelta(seconds=5)))
    await expect(page.locator("#sync-said")).to_contain_text("Done", timeout=15_000)
    await expect(page.get_by_role("button", name="Fetch now")).to_be_focused()
    await page.get_by_role("link", name="Show what is new").click()
    await expect(page.locator("#sync")).to_contain_text("Last fetched on")


@pytest.mark.parametrize("path", ["/welcome", "/c/main/me", "/settings", "/settings/delete", "/settings/disconnect"])
async def test_no_page_of_ones_own_scrolls_sideways_on_a_phone(page: Page, path: str) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(path)
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
