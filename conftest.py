"""Fixtures that every test may use."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser, async_playwright

from devstack.servers.packages import ensure_program

pytest_plugins = ["devstack.testing", "testkit.plugin"]

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


class Told:
    """Shows what a test has `said` (a property of its report), also when it passed in another process."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "said":
                    self._terminal.write(f"\n{value}")


@pytest.hookimpl(trylast=True)  # the terminal reporter is there by then
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Told(terminal), "told")


@pytest.fixture
def statuses(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Counter[int]]:
    """Counts the answers to hostile requests by status, and shows the counts."""
    counted: Counter[int] = Counter()
    yield counted
    service = request.path.parents[1].name
    record_property(
        "said", f"{service}: {counted.total()} hostile requests, by status {dict(sorted(counted.items()))}"
    )


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
