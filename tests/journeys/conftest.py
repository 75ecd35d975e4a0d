"""The whole system with a simulated club, and the accessibility checker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from journey_site import PATIENCE_MS, CheckAccessibility, Person, Site, see_import
from playwright.async_api import Browser, Page, expect

from devstack.process.supervisor import Supervisor
from devstack.servers.servers import discard_report
from devstack.stack.stack import DatasetOptions, StackConfig, running_stack
from stravasim.control.client import ControlClient

ROOT = Path(__file__).parents[2]
ATHLETES = 8


@pytest.fixture(scope="package")
async def site(browser: Browser) -> AsyncIterator[Site]:
    """One system for all journeys: each has athletes of its own."""
    dataset = DatasetOptions(athletes=ATHLETES, days=20)
    config = StackConfig(dataset, None, durable=False, grace_days=5, log_level="WARNING", freshness_s=2, organisers=1)
    expect.set_options(timeout=PATIENCE_MS)
    async with (
        Supervisor() as supervisor,
        running_stack(config, supervisor, discard_report) as stack,
        ControlClient(stack.strava_url) as strava,
    ):
        yield Site(stack, strava, browser)


@pytest.fixture(scope="session")
async def check_accessibility() -> CheckAccessibility:
    """axe, installed by its lock."""
    process = await asyncio.create_subprocess_exec("bash", "scripts/npm_ci.sh", "scripts/axe", cwd=ROOT)
    assert await process.wait() == 0
    source = (ROOT / "scripts/axe/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")

    async def check(page: Page) -> list[str]:
        await page.evaluate(source)  # past the content security policy, which allows no such script
        found: list[str] = await page.evaluate(
            """async () => {
                const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
                const found = await axe.run(document, { runOnly: tags });
                return found.violations.flatMap(one => one.nodes.map(node => `${one.id}: ${node.target}`));
            }"""
        )
        return found

    return check


@pytest.fixture(scope="module")
async def organiser(site: Site) -> AsyncIterator[Person]:
    """Who may see every page."""
    async with site.person() as person:
        await person.join(site.stack.athletes[0].id)
        await person.page.goto("/welcome")
        await see_import(person.page)
        await person.page.goto("/c/main/running")
        await expect(person.page.locator("tr.me")).to_have_count(1)
        yield person
