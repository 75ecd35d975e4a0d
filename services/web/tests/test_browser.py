"""The pages in a real browser."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from web_fakes import user_id
from web_server import Server, start_server
from web_site import open_page


@pytest.fixture
async def page(browser: Browser, server: Server) -> AsyncIterator[Page]:
    async with open_page(browser, server.url, viewport={"width": 1000, "height": 800}) as page:
        yield page


async def test_an_open_board_changes_without_being_loaded_anew(page: Page, server: Server) -> None:
    await page.goto("/c/autumn/running")
    await page.evaluate("window.sameDocument = true")
    last = page.locator("#standings tbody tr").last
    await expect(last.locator("th")).not_to_have_text("Dominik Ś.")
    async with httpx.AsyncClient(base_url=server.url) as other:
        await other.get("/test/move", params={"number": 3, "km": 0.1})
    await expect(last.locator("th")).to_have_text("Dominik Ś.")
    await expect(last.locator(".ranked")).to_have_text("0.1")
    assert await page.evaluate("window.sameDocument")


async def test_a_paused_board_stays_as_it_is(page: Page, server: Server) -> None:
    await page.goto("/c/autumn/running?live=0")
    assert await page.locator("[hx-sse\\:connect]").count() == 0


async def test_the_form_leads_through_strava_back_to_my_own_row(page: Page) -> None:
    await page.goto("/join")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Connect with Strava").click()
    await page.wait_for_url("**/c/autumn/running")
    mine = page.locator("tr[aria-current]")
    await expect(mine).to_have_id(f"p-{user_id(4)}")
    await expect(mine.locator("th")).to_contain_text("Ela N.")


async def test_without_javascript_the_own_row_is_marked(browser: Browser, server: Server) -> None:
    context = await browser.new_context(base_url=server.url, java_script_enabled=False, locale="en-GB")
    page = await context.new_page()
    await page.goto("/join")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Connect with Strava").click()
    await page.wait_for_url("**/c/autumn/running")
    await expect(page.locator("tr.me[aria-current]")).to_have_id(f"p-{user_id(4)}")
    await page.get_by_role("link", name=re.compile("My place")).click()
    await page.wait_for_url(f"**#p-{user_id(4)}")
    await context.close()


async def test_without_javascript_the_board_is_all_there(browser: Browser, server: Server) -> None:
    context = await browser.new_context(base_url=server.url, java_script_enabled=False, locale="pl-PL")
    page = await context.new_page()
    await page.goto("/c/autumn/cycling")
    assert await page.locator("#standings tbody tr").count() == 23
    await expect(page.locator("html")).to_have_attribute("lang", "pl")
    await page.get_by_role("link", name="Bieganie").click()
    await page.wait_for_url("**/c/autumn/running")
    await context.close()


@pytest.mark.parametrize("path", ["/", "/c/autumn/running", "/join", "/privacy", "/nowhere"])
@pytest.mark.parametrize("language", ["en", "pl"])
async def test_no_page_scrolls_sideways_on_a_phone(
    browser: Browser, server: Server, path: str, language: str
) -> None:
    context = await browser.new_context(base_url=server.url, viewport={"width": 360, "height": 740}, locale=language)
    page = await context.new_page()
    await page.goto(path)
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await context.close()


async def test_an_open_stream_does_not_hold_up_the_end(database_url: str) -> None:
    server = await start_server(database_url)
    async with (
        httpx.AsyncClient(base_url=server.url) as client,
        client.stream("GET", "/live/c/autumn/running?lang=en") as stream,
    ):
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith(("id:", "data:"))
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            await server.process.wait()


async def test_my_row_stays_mine_and_tells_me_when_i_move(page: Page, server: Server) -> None:
    await page.goto("/join")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Connect with Strava").click()
    await page.wait_for_url("**/c/autumn/running")
    await expect(page.locator("#live")).to_be_visible()
    await page.get_by_role("link", name="Pause").focus()
    async with httpx.AsyncClient(base_url=server.url) as other:
        await other.get("/test/move", params={"number": 4, "km": 999})
    mine = page.locator("tr.me[aria-current]")
    await expect(mine.locator(".ranked")).to_have_text("999.0")
    await expect(mine).to_have_id(f"p-{user_id(4)}")
    await expect(page.get_by_role("status")).to_have_text("You moved up to place 1.")
    await expect(page.get_by_role("link", name="Pause")).to_be_focused()
