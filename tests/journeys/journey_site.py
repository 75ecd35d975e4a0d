"""The running system as its people see it: browsers, and how they join."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from playwright.async_api import Browser, BrowserContext, Page, expect

from devstack.stack.stack import Stack
from stravasim.control.client import ControlClient
from testkit.waiting import wait_until

PATIENCE_MS = 30_000  # for what takes a way through all services on a busy machine
IMPORT_MS = 120_000  # a call that fails on a busy machine is made again a while later
_IMPORTED = re.compile(r"Done: \d+ activit")
#: What is no mistake of a page: the answers 404 and 422 to what a journey asks for on purpose.
_EXPECTED_ERRORS = ("the server responded with a status of 4",)

#: Gives every violation of WCAG 2.2 AA on a page: the rule, and where.
CheckAccessibility: TypeAlias = Callable[[Page], Awaitable[list[str]]]


@dataclass
class Person:
    """Somebody with a browser of their own."""

    context: BrowserContext
    page: Page
    problems: list[str]

    async def join(self, athlete_id: int) -> None:
        """Through the consent page and Strava, until they are welcomed or, if known, on the board."""
        await self.page.goto("/join")
        await connect(self.page)
        await authorize(self.page, athlete_id)


async def connect(page: Page) -> None:
    """From the page to join to Strava."""
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Strava").click()


async def authorize(page: Page, athlete_id: int) -> None:
    """From Strava back to the site."""
    await page.get_by_label("You are").select_option(value=str(athlete_id))
    await page.get_by_role("button", name="Authorize").click()
    await page.wait_for_url(lambda url: "/oauth/" not in url and "/auth/" not in url)


async def see_import(page: Page, *, scripts: bool = True) -> None:
    """On the page `/welcome`: what it shows by itself with scripts, and after loading it again without."""
    said = page.locator("#import-said")
    if scripts:
        await expect(said).to_have_text(_IMPORTED, timeout=IMPORT_MS)
        return

    async def is_imported() -> bool:
        await page.goto("/welcome")
        return _IMPORTED.match(await said.inner_text()) is not None

    await wait_until(is_imported, "the import is done", IMPORT_MS / 1000)


@dataclass
class Site:
    """The running system."""

    stack: Stack
    strava: ControlClient
    browser: Browser

    @asynccontextmanager
    async def person(self, *, scripts: bool = True, **options: Any) -> AsyncIterator[Person]:
        """A new browser; at its end no page of it may have complained."""
        usual: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1000, "height": 900}}
        context = await self.browser.new_context(
            base_url=self.stack.web_url, java_script_enabled=scripts, **{**usual, **options}
        )
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        problems: list[str] = []
        page.on("console", lambda message: _note(problems, message.type, message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield Person(context, page, problems)
        await context.close()
        assert not problems, problems


def _note(problems: list[str], kind: str, text: str) -> None:
    if kind == "error" and not any(expected in text for expected in _EXPECTED_ERRORS):
        problems.append(text)
