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


@pytest.hookimpl(trylast=True)  # after the order was made random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = [*TOGETHER, "e2e"]
    items.sort(key=lambda item: order.index(folder) if (folder := item.path.parent.name) in order else len(order))


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
