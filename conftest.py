"""Fixtures that every test may use."""

import sys
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser, async_playwright

from devstack.servers.packages import ensure_program

pytest_plugins = ["testkit.plugin"]

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# The networking ones keep Chromium from calling home.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


#: Folders whose files take longest. They come first, so that no worker is left with one when the other has no more.
LONGEST = ("chaos", "e2e", "journeys")


@pytest.hookimpl(trylast=True)  # after the order was made random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium, installed or unpacked when the machine has none."""
    chromium = ensure_program("chromium", "chromium", lambda line: print(line, file=sys.__stderr__, flush=True))
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium.path, args=CHROMIUM_ARGS, env=dict(chromium.env) or None
        )
        yield running
        await running.close()
