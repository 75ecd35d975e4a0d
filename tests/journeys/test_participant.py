"""A participant's way through the running system, in a real browser, with and without scripts."""

import re
from collections.abc import Awaitable, Callable

import pytest
from journey_site import Site, authorize, connect, see_import
from playwright.async_api import Page, expect

RUNNING = "/c/main/running"


def kilometres(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize(("scripts", "first"), [(True, 2), (False, 4)], ids=["with scripts", "without scripts"])
async def test_a_participant_joins_chooses_teams_up_and_leaves(site: Site, scripts: bool, first: int) -> None:
    me, other = site.stack.athletes[first].id, site.stack.athletes[first + 1].id
    name = "Łucja z Gór" if scripts else "Zoë ohne Skripte"
    async with (
        site.person(scripts=scripts) as one,
        site.person(scripts=scripts) as two,
        site.person() as stranger,
    ):
        page = one.page
        await one.join(me)
        await page.wait_for_url("**/welcome")
        await page.get_by_label("How boards name you").fill(name)
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("This is your name now.")).to_be_visible()
        await see_import(page, scripts=scripts)

        await _choose_what_counts(page, stranger.page, name)
        await _team_up(page, two.page, stranger.page, lambda: two.join(other))
        await _change_looks(page)
        await _lose_access_and_come_back(page, me, one.join)
        await _leave(page, stranger.page, name)


async def test_signing_in_leads_back_to_the_page_that_was_wanted_in_each_tab(site: Site) -> None:
    me = site.stack.athletes[6].id
    async with site.person() as one:
        await one.join(me)
        await one.page.get_by_role("button", name="Sign out").click()
        first, second = one.page, await one.context.new_page()
        await first.goto("/c/main/me")
        await second.goto("/c/main/milestones")
        await second.get_by_role("link", name="Join", exact=True).click()
        for page in (first, second):
            await connect(page)
        await authorize(second, me)
        await second.wait_for_url("**/c/main/milestones")
        await authorize(first, me)
        await first.wait_for_url("**/c/main/me")
        await first.get_by_role("button", name="Exclude").first.wait_for()
        await second.goto("/settings")
        await one.context.clear_cookies()
        await _go_on_without_a_session(first, "Exclude", "/c/main/me", me)
        await one.context.clear_cookies()
        await _go_on_without_a_session(second, "Hide me", "/settings", me)


async def _go_on_without_a_session(page: Page, button: str, path: str, athlete_id: int) -> None:
    """By a script or by a form: nothing is saved, which is said, and signing in leads back to where it was tried."""
    await page.get_by_role("button", name=button, exact=True).first.click()
    await expect(page.get_by_text("nothing was saved")).to_be_visible()
    await connect(page)
    await authorize(page, athlete_id)
    await page.wait_for_url(f"**{path}")
    await expect(page.get_by_role("button", name=button, exact=True).first).to_be_visible()


async def _choose_what_counts(page: Page, watching: Page, name: str) -> None:
    """Exclude an activity and include it again; somebody else's open board follows without being loaded anew."""
    await watching.goto(RUNNING)
    await watching.evaluate("window.sameDocument = true")
    row = watching.locator("#standings tbody tr", has_text=name)
    await expect(row).to_have_count(1)
    before = kilometres(await row.locator(".ranked").inner_text())

    await page.goto("/c/main/me")
    run = page.locator("article", has_text="Running").filter(has=page.get_by_role("button", name="Exclude")).first
    await expect(run.get_by_role("link", name="View on Strava")).to_have_attribute(
        "href", re.compile(r"^https://www\.strava\.com/activities/\d+$")
    )
    identity = await run.get_attribute("id")
    article = page.locator(f"#{identity}")
    await article.get_by_role("button", name="Exclude").click()
    await expect(article.get_by_text("you excluded it")).to_be_visible()
    await expect(row.locator(".ranked")).not_to_have_text(f"{before:,.1f}")
    await article.get_by_role("button", name="Include again").click()
    await expect(article.get_by_role("button", name="Exclude")).to_be_visible()
    await expect(row.locator(".ranked")).to_have_text(f"{before:,.1f}")
    assert await watching.evaluate("window.sameDocument")


async def _team_up(page: Page, other: Page, watching: Page, join: Callable[[], Awaitable[None]]) -> None:
    """Two are in a team for a while; its page, open somewhere else, follows without being loaded anew."""
    team = f"Owls {await page.locator('.who').inner_text()}"
    await page.goto("/c/main/teams")
    await page.get_by_role("link", name="Create a team").click()
    await page.get_by_label("Name of the team").fill(team)
    await page.get_by_role("button", name="Create the team").click()
    await expect(page.get_by_role("heading", name=team)).to_be_visible()
    address = page.url.partition("?")[0]
    await watching.goto(address)
    await watching.evaluate("window.sameDocument = true")
    members = watching.locator("#changing .contributions tbody tr")
    await expect(members).to_have_count(1)

    await join()
    await other.goto("/c/main/teams/new")
    taken = other.get_by_label("Name of the team")
    await taken.fill(team.upper())
    await other.get_by_role("button", name="Create the team").click()
    await expect(taken).to_have_value(team.upper())
    await expect(taken).to_have_attribute("aria-invalid", "true")
    await other.goto(address)
    await other.get_by_role("button", name="Join the team").click()
    await expect(other.get_by_role("button", name="Leave the team")).to_be_visible()
    await expect(members).to_have_count(2)
    await other.goto(f"{RUNNING}?view=teams")
    await expect(other.locator("#standings tbody tr", has_text=team)).to_have_count(1)
    await other.goto(address)
    await other.get_by_role("button", name="Leave the team").click()
    await expect(members).to_have_count(1)
    assert await watching.evaluate("window.sameDocument")


async def _change_looks(page: Page) -> None:
    await page.goto(RUNNING)
    await page.get_by_role("button", name="Polski").click()
    await expect(page.locator("html")).to_have_attribute("lang", "pl")
    await page.get_by_role("button", name="ciemne").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.locator("tr.me")).to_have_count(1)
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def _lose_access_and_come_back(page: Page, athlete_id: int, join: Callable[[int], Awaitable[None]]) -> None:
    """The participant disconnects in the settings, is told on every page, and connects again."""
    await page.goto("/settings")
    await page.get_by_role("link", name="Disconnect Strava").click()
    await page.get_by_role("button", name="Disconnect").click()
    await page.goto(RUNNING)
    await expect(page.locator(".banner")).to_contain_text("You have disconnected Strava")
    await join(athlete_id)
    await page.goto(RUNNING)
    await expect(page.locator(".banner")).to_have_count(0)


async def _leave(page: Page, watching: Page, name: str) -> None:
    await page.goto("/settings")
    await page.get_by_role("link", name="Delete my data").click()
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Delete my data").click()
    await page.wait_for_url("**/goodbye")
    await expect(watching.locator("#standings tbody tr", has_text=name)).to_have_count(0)
    await page.goto("/settings")
    await page.wait_for_url(re.compile("/join[?]"))
