"""An organiser's day in the running system, in a real browser, while a participant looks on."""

import re

from journey_site import Person, Site
from playwright.async_api import Page, expect


async def test_an_organiser_s_day(site: Site) -> None:
    organiser, runner = site.stack.athletes[0].id, site.stack.athletes[1].id
    async with site.person() as boss, site.person() as member:
        await boss.join(organiser)
        await member.join(runner)
        await _create_a_challenge(boss.page)
        await _add_a_board_by_points(boss.page)
        await _publish(boss.page, member.page)
        await _preview_other_rules(boss.page)
        await _exclude_and_hide(boss, member)
        await _deal_teams(boss.page, member.page)
        await _look_at_the_rest(boss.page)


async def test_nobody_else_reaches_the_panel(site: Site) -> None:
    async with site.person() as stranger:
        await stranger.page.goto("/admin")
        await stranger.page.wait_for_url(re.compile("/join[?]"))
        await stranger.join(site.stack.athletes[6].id)
        response = await stranger.page.goto("/admin")
        assert response is not None
        assert response.status == 403


async def _create_a_challenge(page: Page) -> None:
    await page.goto("/admin")
    await expect(page.get_by_role("meter")).to_have_count(2)
    await page.get_by_role("link", name="Challenges").first.click()
    await page.get_by_role("link", name="New challenge").click()
    await page.get_by_label("Name", exact=True).fill("Winter Cup")
    first, last = page.get_by_label("First day"), page.get_by_label("Last day, included")
    await first.fill("2026-12-31")
    await last.fill("2026-01-01")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator(".error").first).to_be_visible()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Winter Cup")
    days = await _days_of_the_club(page)
    await first.fill(days[0])
    await last.fill(days[1])
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("The challenge is created.")).to_be_visible()


async def _days_of_the_club(page: Page) -> tuple[str, str]:
    """The days of the challenge that the club has already."""
    other = await page.context.new_page()
    await other.goto("/admin/challenges/main/edit")
    days = [await other.get_by_label(label).input_value() for label in ("First day", "Last day, included")]
    await other.close()
    return days[0], days[1]


async def _add_a_board_by_points(page: Page) -> None:
    await page.get_by_role("link", name="Add a board").click()
    await page.get_by_label("Name", exact=True).fill("Kilometres")
    for sport in ("Run", "Ride", "Walk", "Gravel ride", "Virtual ride"):
        await page.get_by_role("checkbox", name=sport, exact=True).check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. It is shown as soon as it is computed.")).to_be_visible()
    await page.get_by_role("link", name="Add a milestone").click()
    await page.get_by_label("Name", exact=True).fill("First ten")
    await page.get_by_label("Reached at").fill("10")
    await page.get_by_role("checkbox", name="Run", exact=True).check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. It is shown as soon as it is computed.")).to_be_visible()
    await expect(page.get_by_text("New rules are being computed.")).to_have_count(0)


async def _publish(page: Page, member: Page) -> None:
    response = await member.goto("/c/winter-cup/kilometres")
    assert response is not None
    assert response.status == 404
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_role("radio", name="Public").check()
    await page.get_by_label("Announcement").fill("Prizes on the last day.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The challenge is saved.")).to_be_visible()

    async def is_there() -> bool:
        shown = await member.goto("/c/winter-cup/kilometres")
        return shown is not None and shown.status == 200

    for _ in range(30):
        if await is_there():
            break
        await member.wait_for_load_state()
    await expect(member.get_by_text("Prizes on the last day.")).to_be_visible()
    await member.get_by_role("link", name="Milestones").click()
    await expect(member.get_by_role("heading", name="First ten")).to_be_visible()


async def _preview_other_rules(page: Page) -> None:
    await page.goto("/admin/challenges/winter-cup/boards/kilometres")
    await page.get_by_role("checkbox", name="Trail run", exact=True).check()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview table").first).to_be_visible()


async def _exclude_and_hide(boss: Person, member: Person) -> None:
    page = boss.page
    await member.page.goto("/c/winter-cup/kilometres")
    own = member.page.locator("tr.me")
    await expect(own).to_have_count(1)
    name = await own.locator("th a").inner_text()
    await page.goto("/admin/participants")
    await page.get_by_role("link", name=name).first.click()
    await page.get_by_role("button", name=re.compile("^Hide")).click()
    await expect(page.get_by_text("They are hidden from all boards.")).to_be_visible()
    await expect(own).to_have_count(0)
    await page.get_by_role("button", name=re.compile("^Show")).click()
    await expect(page.get_by_text("They are on the boards again.")).to_be_visible()

    await page.goto("/admin/activities")
    activity = page.get_by_role("row").filter(has_text="Exclude").first
    await activity.locator("summary").click()
    await activity.get_by_role("textbox").fill("a mistake of the watch")
    await activity.get_by_role("button", name="Exclude it").click()
    await expect(page.get_by_text("The activity counts nowhere now, and its owner reads why.")).to_be_visible()


async def _deal_teams(page: Page, member: Page) -> None:
    await page.goto("/admin/challenges/winter-cup/teams")
    await page.get_by_label("How many teams").fill("2")
    await page.get_by_role("button", name="Deal out").click()
    await expect(page.get_by_text("People are dealt out to teams.")).to_be_visible()
    await member.goto("/c/winter-cup/kilometres?view=teams")
    await expect(member.locator("#standings tbody tr").first).to_be_visible()


async def _look_at_the_rest(page: Page) -> None:
    await page.goto("/admin/keys")
    await page.get_by_label("Name", exact=True).fill("scoreboard in the hall")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.get_by_text("scoreboard in the hall").first).to_be_visible()
    await page.goto("/admin/log")
    await expect(page.get_by_role("table")).to_be_visible()
    await page.goto("/admin/data")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").first.click()
    assert (await download.value).suggested_filename.endswith(".csv")
