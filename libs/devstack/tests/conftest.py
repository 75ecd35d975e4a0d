"""Runs whole stacks in separate processes, so that tests can kill them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from devstack.process import reaper
from testkit.waiting import block_until

RUNNER = Path(__file__).with_name("runner.py")
READY_SECONDS = 60.0


class Runner:
    """A process of runner.py, leader of its own process group."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, RUNNER, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.facts: dict[str, Any] = {}

    def wait_until_reported(self, key: str) -> None:
        """Read its output, JSON lines, into `facts` until this key is there."""
        assert self.process.stdout is not None
        while key not in self.facts:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"the runner ended: {self.stderr_text()}")
            self.facts |= json.loads(line)

    def stderr_text(self) -> str:
        """Everything that it has written to standard error; waits for its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read().strip()

    @property
    def processes(self) -> set[int]:
        return reaper.list_stack_pids(self.facts["stack"])

    def wait_until_gone(self) -> None:
        self.process.wait(READY_SECONDS)
        block_until(lambda: not self.processes)


@pytest.fixture
def run_stack() -> Iterator[Callable[..., Runner]]:
    """run_stack(what, folder): a runner that is killed at the end of the test."""
    with ExitStack() as cleanup:

        def start(*arguments: str | Path) -> Runner:
            runner = Runner(*arguments)
            cleanup.enter_context(runner.process)
            cleanup.callback(runner.process.kill)
            return runner

        yield start
