"""Fixtures that every test may use."""

import sys
from collections.abc import AsyncIterator
from pathlib import PurePath

import pytest
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser, async_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

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


#: Folders whose tests share servers of their own, one of them with a whole system. They come first, and each is one
#: worker's, which ends the servers afterwards: idle ones beside all other tests take a quarter of the machine.
TOGETHER = ("journeys", "chaos")


#: Folders and files that take long come before all others, so that no worker is left with one when the rest is done.
LONGEST = (
    *TOGETHER,
    *("e2e", "test_servers.py", "test_hostile_requests.py", "test_gates.py", "test_crashes.py", "test_storms.py"),
    *("test_live_browser.py", "test_contract.py", "test_admin_panel.py", "test_bus.py"),
)


@pytest.hookimpl(trylast=True)  # after the order was made random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        names = {item.path.name, item.path.parent.name}
        return next((at for at, name in enumerate(LONGEST) if name in names), len(LONGEST))

    items.sort(key=rank)


class FolderScheduling(LoadFileScheduling):
    """The tests of a file go to one worker, and those of some folders."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = PurePath(file).parent
        return str(folder) if folder.name in TOGETHER else file


@pytest.hookimpl(optionalhook=True)  # of a plugin that may be left out
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    return FolderScheduling(config, log)


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
