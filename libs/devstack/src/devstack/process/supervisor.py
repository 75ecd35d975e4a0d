"""Starts the processes of one stack, reports unexpected exits, and stops all of them at the end."""

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

from devstack.errors import ProcessExit, StackError
from devstack.process import reaper
from devstack.process.log import Log
from devstack.process.process import Command, Process, start_process

REAPER_SECONDS = 60.0  # longest wait for the reaper's last scan and exit actions
POLL_SECONDS = 0.1


class Supervisor:
    """Owns the processes of one stack; use it with `async with`. None of them survives it, even if we are killed.

    Each process is a direct child that the kernel kills with us. It has the stack's id in its environment, by which
    the reaper, a separate process, finds it and its descendants.
    """

    def __init__(self, log: Log | None = None) -> None:
        self.stack_id = secrets.token_hex(8)
        self.log = log or Log()
        self.processes: dict[str, Process] = {}
        self._failures: asyncio.Queue[ProcessExit] = asyncio.Queue()
        self._watchers: set[asyncio.Task[None]] = set()
        self._exit_actions: list[bytes] = []
        self._reaper: asyncio.subprocess.Process | None = None
        self._reaper_task: asyncio.Task[None] | None = None
        self._ending = False

    @property
    def reaper_pid(self) -> int:
        """The process id of the reaper, while the stack runs."""
        assert self._reaper is not None
        return self._reaper.pid

    async def __aenter__(self) -> Self:
        if platform.system() != "Linux":
            raise StackError("private servers need Linux; elsewhere use the containers in deploy/")
        await self._start_reaper()
        self._reaper_task = asyncio.create_task(self._restart_reaper(), name="devstack reaper")
        return self

    async def __aexit__(self, *_: object) -> None:
        # Shielded, so that a second Ctrl-C does not interrupt the stop.
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
        shutdown_order: int = 1,
        quiet: bool = False,
    ) -> Process:
        """Start a process. `env` is its whole environment (None: ours); a quiet one only writes to the log file.

        `stop_all` stops processes in ascending `shutdown_order`, those of the same order concurrently.

        Raises StackError when it cannot be started or the name is taken.
        """
        if self._ending:
            raise StackError(f"{name} is not started, because the stack is stopping")
        if name in self.processes:
            raise StackError(f"{name} is running already")
        words = [str(part) for part in argv]
        environment = self._with_stack_id(os.environ if env is None else env)
        ending = (stop_signal, stop_seconds, death_signal)
        command = Command(name, words, environment, cwd, user, *ending, shutdown_order=shutdown_order, quiet=quiet)
        process = await start_process(command, lambda line: self.log.write_line(name, line, quiet=quiet))
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
        """Run a program and wait for its end; raises StackError when it fails or takes longer than `seconds`."""
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
            raise StackError(str(process.get_exit()))

    async def wait_until_ready(self, name: str, check: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Call `check` until it is true; raises StackError when the process ends first or `seconds` are over."""
        process = self.processes.get(name)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while process is None or not process.done.done():
            if await check():
                return
            if loop.time() > deadline:
                raise StackError(f"{name} was not ready within {seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
        raise StackError(str(process.get_exit()))

    async def wait_for_failure(self) -> ProcessExit:
        """Wait for the next unexpected exit of a process."""
        return await self._failures.get()

    async def stop(self, name: str) -> None:
        """Stop one process; its exit is not a failure. Unknown names are ignored."""
        process = self.processes.get(name)
        if process is not None:
            await process.stop()
            self.processes.pop(name, None)

    async def stop_all(self) -> None:
        """Stop all processes, in ascending shutdown order."""
        for process in self.processes.values():
            process.stopping = True
        for order in sorted({process.command.shutdown_order for process in self.processes.values()}):
            names = [name for name, process in self.processes.items() if process.command.shutdown_order == order]
            await asyncio.gather(*(self.stop(name) for name in names))

    def remove_on_exit(self, folder: Path) -> None:
        """Remove the folder after the end of the stack, also when we are killed."""
        self._add_exit_action(["remove", str(folder)])

    def run_on_exit(self, argv: Sequence[str]) -> None:
        """Run a program after the end of the stack, also when we are killed."""
        self._add_exit_action(["run", *argv])

    def _with_stack_id(self, env: Mapping[str, str]) -> dict[str, str]:
        outer = os.environ.get(reaper.STACK_ID_VARIABLE)
        return {**env, reaper.STACK_ID_VARIABLE: f"{outer}:{self.stack_id}" if outer else self.stack_id}

    def _add_exit_action(self, action: list[str]) -> None:
        line = json.dumps(action).encode() + b"\n"
        self._exit_actions.append(line)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.write(line)

    async def _watch(self, process: Process) -> None:
        await asyncio.wait([process.done])
        if not process.stopping and not process.done.cancelled():
            self.processes.pop(process.name, None)
            self._failures.put_nowait(process.get_exit())

    async def _start_reaper(self) -> None:
        try:
            self._reaper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", reaper.__file__, self.stack_id),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise StackError(f"cannot start a process: {error.strerror}") from error
        assert self._reaper.stdin is not None
        self._reaper.stdin.writelines(self._exit_actions)

    async def _restart_reaper(self) -> None:
        """Start a new reaper whenever one was killed, until the stack ends."""
        while self._reaper is not None:
            await self._reaper.wait()
            if self._ending:
                return
            await self._start_reaper()

    async def _end(self) -> None:
        self._ending = True
        try:
            await self.stop_all()
        finally:
            if self._reaper is not None and self._reaper.stdin is not None:
                self._reaper.stdin.close()
            if self._reaper_task is not None:
                await asyncio.wait([self._reaper_task], timeout=REAPER_SECONDS)
                self._reaper_task.cancel()
            self.log.close()


@asynccontextmanager
async def stop_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set, so that the body can stop cleanly.

    Enter it before the supervisor, so that a second Ctrl-C is still handled while processes are being stopped.
    """
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for signal_number in signals:
        loop.add_signal_handler(signal_number, stop_requested.set)
    try:
        yield stop_requested
    finally:
        for signal_number in signals:
            loop.remove_signal_handler(signal_number)
