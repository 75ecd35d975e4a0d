"""Every page by the rules of WCAG 2.2 AA, in both themes and languages, on desks and phones; and boards by keys."""

import pytest
from journey_site import CheckAccessibility, Person, Site
from keyboard import Keyboard
from playwright.async_api import Page, expect

DESK = {"viewport": {"width": 1000, "height": 900}, "color_scheme": "light", "locale": "en-GB"}
HAND = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "locale": "pl-PL"}
DARK_DESK = {**DESK, "color_scheme": "dark"}
LIGHT_HAND = {**HAND, "color_scheme": "light"}

PUBLIC = (
    *("/", "/join", "/privacy", "/terms", "/nowhere", "/c/main/running", "/c/main/running?view=teams"),
    *("/c/main/running?search=a", "/c/main/running/embed", "/c/main/running/screen", "/c/main/teams"),
    "/c/main/milestones",
)
OWN = ("/welcome", "/c/main/me", "/settings", "/settings/delete", "/settings/disconnect", "/c/main/teams/new")
PANEL = (
    *("/admin", "/admin/challenges", "/admin/new-challenge", "/admin/challenges/main", "/admin/challenges/main/edit"),
    *("/admin/challenges/main/new-board", "/admin/challenges/main/boards/running", "/admin/participants"),
    *("/admin/activities", "/admin/challenges/main/teams", "/admin/keys", "/admin/data", "/admin/log"),
    *("/admin/challenges/main/clone", "/admin/challenges/main/delete"),
)
#: Notes what moved after it was shown: by how much, and of each thing its text and where it was and is. Not noted is
#: how the top and the foot of a page find their places until it is whole: a browser may paint what has come of it.
WATCH_SHIFTS = """
    window.shifts = [];
    let whole = Infinity;
    const isWhole = () => { whole = performance.now(); };
    addEventListener("load", () => requestAnimationFrame(() => requestAnimationFrame(isWhole)));
    const isFrame = ({ node }) =>
        (node?.closest ? node : node?.parentElement)?.closest("body > header, body > footer");
    new PerformanceObserver(list => {
        for (const { value, hadRecentInput, sources, startTime } of list.getEntries())
            if (!hadRecentInput && !(startTime < whole && sources.every(isFrame)))
                window.shifts.push([value, sources.map(({ node, previousRect: was, currentRect: now }) =>
                    [node?.textContent.trim().slice(0, 40), JSON.stringify(was), JSON.stringify(now)])]);
    }).observe({type: "layout-shift", buffered: true});
"""

TOP = "one => one.getBoundingClientRect().top + scrollY"
#: On how many lines these stand, however tall each is; and of how many lines each is.
LINES = """all => all.map(one => one.getBoundingClientRect()).sort((one, next) => one.top - next.top)
    .reduce(([count, end], {top, bottom}) => top < end ? [count, end] : [count + 1, bottom], [0, -1])[0]"""
LINES_OF_EACH = "all => [...new Set(all.map(one => one.getClientRects().length))]"
PLACES = "all => all.map(one => [one.getBoundingClientRect().left, one.getBoundingClientRect().top])"
RENAME = "(all, name) => { if (name) for (const one of all) one.textContent = name; }"


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(DESK, id="desk"),
        pytest.param(HAND, id="hand"),
        pytest.param(DARK_DESK, id="dark desk", marks=pytest.mark.long),
        pytest.param(LIGHT_HAND, id="light hand", marks=pytest.mark.long),
    ],
)
async def test_no_page_breaks_a_rule_moves_or_scrolls_sideways(
    site: Site, organiser: Person, check_accessibility: CheckAccessibility, looks: dict[str, object]
) -> None:
    profile = await organiser.page.locator("tr.me th a").get_attribute("href")
    assert profile is not None
    wrong = []
    async with site.person(**looks, storage_state=await organiser.context.storage_state()) as person:
        await person.context.add_init_script(WATCH_SHIFTS)
        for path in (*PUBLIC, *OWN, *PANEL, profile):
            wrong += [f"{path}: {what}" for what in await _examine(person.page, path, check_accessibility)]
    assert not wrong, "\n".join(wrong)


async def _examine(page: Page, path: str, check_accessibility: CheckAccessibility) -> list[str]:
    await page.goto(path)
    await page.wait_for_load_state("load")
    found = await check_accessibility(page)
    if await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("scrolls sideways")
    return found + [f"moved by {value}: {what}" for value, what in await page.evaluate("window.shifts")]


@pytest.mark.parametrize("language", ["en-GB", "pl-PL"])
async def test_on_a_phone_a_board_begins_high_up(site: Site, organiser: Person, language: str) -> None:
    looks = {**HAND, "locale": language, "has_touch": True}
    async with site.person(**looks, storage_state=await organiser.context.storage_state()) as person:
        page = person.page
        await page.goto("/c/main/running")
        assert await page.locator("#standings tbody tr").first.evaluate(TOP) <= 430
        assert await page.locator(".tabs a").evaluate_all(LINES) == 1
        assert await page.locator("#standings tbody th a").evaluate_all(LINES_OF_EACH) == [1]
        await expect(page.locator("kbd")).to_be_hidden()
        for names in ("", "Wolfeschlegelsteinhausenbergerdorff-Brzęczyszczykiewicz"):
            await page.locator(".wordmark span, .who").evaluate_all(RENAME, names)
            assert await page.locator(".top a, .top button").evaluate_all(LINES) == 1
            for name in ("Organise", "Sign out") if language == "en-GB" else ("Organizuj", "Wyloguj"):
                await expect(page.get_by_text(name, exact=True)).to_be_in_viewport(ratio=1)
        await page.goto("/admin")
        places = [await page.locator(".tabs a").evaluate_all(PLACES)]
        for path in ("/admin/participants", "/admin/keys"):
            await page.goto(path)
            places.append(await page.locator(".tabs a").evaluate_all(PLACES))
        assert places[0] == places[1] == places[2], "the tabs stay where they are, whichever is chosen"
        assert len({top for _, top in places[0]}) <= 2


async def test_a_board_is_used_with_keys_alone(site: Site, organiser: Person) -> None:
    async with site.person(storage_state=await organiser.context.storage_state()) as person:
        page, keys = person.page, Keyboard(person.page)
        await page.goto("/c/main/running")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("m")
        await page.wait_for_url("**#p-*")
        await keys.use("Pause")
        await page.wait_for_url("**live=0")
        await keys.use("Resume")
        await page.wait_for_url("**/c/main/running")
        await page.goto("/c/main/me")
        await keys.use("Exclude")
        await expect(page.get_by_role("button", name="Include again").first).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Include again")).to_have_count(0)
        await page.goto("/settings")
        await keys.use("on", "ArrowDown")
        await keys.use("Save")
        await expect(page.get_by_text("Your choice is saved in this browser.")).to_be_visible()
        await page.goto("/c/main/running")
        await page.keyboard.press("m")
        await expect(page.locator("#mine kbd")).to_have_count(0)
        assert "#" not in page.url
