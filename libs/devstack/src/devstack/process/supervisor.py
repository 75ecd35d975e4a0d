"""Starts the processes of one stack, watches them, and ends every one of them."""

import asyncio
import json
import os
import platform
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from devstack.errors import Died, ProgramFailed, StackError
from devstack.process import reaper
from devstack.process.log import Log
from devstack.process.process import Command, Process, launch

GUARD_SECONDS = 60.0  # longest wait for the guard's last sweep and last wishes
POLL_SECONDS = 0.05


class Supervisor:
    """Owns the processes of one stack, from `async with` to its end; nothing outlives it, even when killed.

    Each process is a direct child that the kernel kills with us, and carries the stack's mark in its
    environment, by which a guard process finds it and whatever it started.
    """

    def __init__(self, log: Log | None = None, stack: str | None = None) -> None:
        self.stack = stack or secrets.token_hex(8)
        self.log = log or Log()
        self.processes: dict[str, Process] = {}
        self._failed: asyncio.Queue[Died] = asyncio.Queue()
        self._watchers: set[asyncio.Task[None]] = set()
        self._last_wishes: list[bytes] = []
        self._guard: asyncio.subprocess.Process | None = None
        self._guarding: asyncio.Task[None] | None = None
        self._ending = False

    @property
    def guard_pid(self) -> int:
        """The guard's process id, while the stack runs."""
        assert self._guard is not None
        return self._guard.pid

    async def __aenter__(self) -> Self:
        if platform.system() != "Linux":
            raise StackError("private servers need Linux; elsewhere use the containers in deploy/")
        await self._start_guard()
        self._guarding = asyncio.create_task(self._keep_guard(), name="devstack guard")
        return self

    async def __aexit__(self, *_: object) -> None:
        # Shielded, so that a second Ctrl-C cannot leave half of it running.
        await asyncio.shield(asyncio.ensure_future(self._end()))

    async def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 15.0,
        death_signal: signal.Signals = signal.SIGKILL,
        layer: int = 1,
        quiet: bool = False,
    ) -> Process:
        """Start a process; `env` is its whole environment (None: ours). Quiet ones only go to the log file.

        When all are stopped, higher layers end first, those of one layer together.

        Raises StackError when it cannot be started or the name is taken.
        """
        if self._ending:
            raise StackError(f"{name} is not started, because the stack is stopping")
        if name in self.processes:
            raise StackError(f"{name} is running already")
        words = [str(part) for part in argv]
        marked = self._marked(os.environ if env is None else env)
        ending = (stop_signal, stop_seconds, death_signal)
        command = Command(name, words, marked, cwd, user, *ending, layer=layer, quiet=quiet)
        process = await launch(command, lambda line: self.log.line(name, line, quiet=quiet))
        self.processes[name] = process
        watcher = asyncio.create_task(self._watch(process))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return process

    async def run(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: tuple[int, int] | None = None,
        seconds: float = 120.0,
        quiet: bool = False,
    ) -> None:
        """Run a program to its end; raises StackError when it fails or takes longer than `seconds`."""
        process = await self.start(name, argv, env=env, cwd=cwd, user=user, quiet=quiet)
        process.stopping = True
        try:
            async with asyncio.timeout(seconds):
                code = await asyncio.shield(process.done)
        except TimeoutError:
            raise StackError(f"{name} did not finish within {seconds:.0f} s") from None
        finally:
            await self.stop(name)
        if code != 0:
            raise ProgramFailed(process.died())

    async def until_ready(
        self, name: str, check: Callable[[], Awaitable[bool]], seconds: float, *, every: float = POLL_SECONDS
    ) -> None:
        """Wait until `check` is true; raises StackError when the process ends first or the time is over."""
        process = self.processes.get(name)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while process is None or not process.done.done():
            if await check():
                return
            if loop.time() > deadline:
                raise StackError(f"{name} was not ready within {seconds:.0f} s")
            await asyncio.sleep(every)
        raise ProgramFailed(process.died())

    async def failed(self) -> Died:
        """Wait for the next process that ends without being told to."""
        return await self._failed.get()

    async def stop(self, name: str) -> None:
        """End one process; it is not reported as failed. Unknown names are ignored."""
        process = self.processes.get(name)
        if process is not None:
            await process.stop()
            self.processes.pop(name, None)

    async def stop_all(self) -> None:
        """End all processes: layer by layer, the highest first."""
        for process in self.processes.values():
            process.stopping = True
        for layer in sorted({process.command.layer for process in self.processes.values()}, reverse=True):
            names = [name for name, process in self.processes.items() if process.command.layer == layer]
            await asyncio.gather(*(self.stop(name) for name in names))

    def remove_at_end(self, folder: Path) -> None:
        """Have the folder removed when the stack has ended, whichever way it ends."""
        self._wish(["remove", str(folder)])

    def run_at_end(self, argv: Sequence[str]) -> None:
        """Have a program run when the stack has ended, whichever way it ends."""
        self._wish(["run", *argv])

    def _marked(self, env: Mapping[str, str]) -> dict[str, str]:
        outer = os.environ.get(reaper.MARKER)
        return {**env, reaper.MARKER: f"{outer}:{self.stack}" if outer else self.stack}

    def _wish(self, wish: list[str]) -> None:
        line = json.dumps(wish).encode() + b"\n"
        self._last_wishes.append(line)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(line)

    async def _watch(self, process: Process) -> None:
        await asyncio.wait([process.done])
        if not process.stopping and not process.done.cancelled():
            self.processes.pop(process.name, None)
            self._failed.put_nowait(process.died())

    async def _start_guard(self) -> None:
        try:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", reaper.__file__, self.stack),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise StackError(f"cannot start a process: {error.strerror}") from error
        assert self._guard.stdin is not None
        self._guard.stdin.writelines(self._last_wishes)

    async def _keep_guard(self) -> None:
        """Replace a guard that was killed."""
        while self._guard is not None:
            await self._guard.wait()
            if self._ending:
                return
            await self._start_guard()

    async def _end(self) -> None:
        self._ending = True
        try:
            await self.stop_all()
        finally:
            if self._guard is not None and self._guard.stdin is not None:
                self._guard.stdin.close()
            if self._guarding is not None:
                await asyncio.wait([self._guarding], timeout=GUARD_SECONDS)
                self._guarding.cancel()
            self.log.close()


@asynccontextmanager
async def stop_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, so that the body can end in good order.

    Put it around the supervisor, so that an impatient second Ctrl-C finds it still there.
    """
    loop = asyncio.get_running_loop()
    wanted = asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, wanted.set)
    try:
        yield wanted
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
