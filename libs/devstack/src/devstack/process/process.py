"""One child process: start, output, stop."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import ProcessExit, StackError

LAST_LINES = 20
LINE_BYTES = 16_384  # longer lines are cut
KILL_SECONDS = 5.0
PIPE_SECONDS = 0.5  # longest wait for the output of an ended process: its children may keep the pipe open
EXEC_CHILD = Path(__file__).with_name("exec_child.py")


@dataclass(frozen=True)
class Command:
    """What to run and how to stop it.

    `env` is the whole environment, `user` is (user id, group id), `death_signal` is sent by the kernel when we die,
    and a lower `shutdown_order` stops earlier. A quiet command only writes to the log file.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    user: tuple[int, int] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    death_signal: signal.Signals = signal.SIGKILL
    shutdown_order: int = 1
    quiet: bool = False


@dataclass
class Process:
    """A running command. `done` results in its exit code; a negative one is minus the signal that killed it."""

    command: Command
    pid: int
    done: asyncio.Task[int]
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    stopping: bool = False

    @property
    def name(self) -> str:
        return self.command.name

    def get_exit(self) -> ProcessExit:
        return ProcessExit(self.name, self.done.result(), tuple(self.last_lines))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; does nothing when the process has ended."""
        if not self.done.done():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    async def stop(self) -> int:
        """Send the stop signal and, after `stop_seconds`, SIGKILL; returns the exit code.

        Raises StackError when it does not end even then.
        """
        self.stopping = True
        for number, seconds in (
            (self.command.stop_signal, self.command.stop_seconds),
            (signal.SIGKILL, KILL_SECONDS),
        ):
            self.send_signal(number)
            await asyncio.wait([self.done], timeout=seconds)
            if self.done.done():
                return self.done.result()
        raise StackError(f"{self.name} (process {self.pid}) does not end, not even when killed")


async def start_process(command: Command, on_line: Callable[[str], None]) -> Process:
    """Start the command in its own session; `on_line` is called with each line of its output.

    The kernel kills it when the calling thread ends. Raises StackError when it cannot be started.
    """
    read_end, write_end = os.pipe()
    user, group = command.user or (-1, -1)
    launch_arguments = [str(number) for number in (os.getpid(), int(command.death_signal), user, group)]
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(EXEC_CHILD), *launch_arguments, *command.argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env=dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
        )
    except OSError as error:
        os.close(read_end)
        raise StackError(f"cannot start {command.name}: {error.strerror}") from error
    except asyncio.CancelledError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    lines: deque[str] = deque(maxlen=LAST_LINES)

    def collect(line: str) -> None:
        lines.append(line)
        on_line(line)

    done = asyncio.create_task(_wait_until_done(child, read_end, collect), name=f"devstack {command.name}")
    return Process(command, child.pid, done, lines)


async def _wait_until_done(child: asyncio.subprocess.Process, read_end: int, on_line: Callable[[str], None]) -> int:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    with os.fdopen(read_end, "rb", 0) as pipe:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        reading = asyncio.create_task(_read_lines(reader, on_line))
        try:
            code = await child.wait()
            await asyncio.wait([reading], timeout=PIPE_SECONDS)
            return code
        finally:
            reading.cancel()
            transport.close()


async def _read_lines(reader: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    rest = b""
    while chunk := await reader.read(LINE_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            on_line(line[:LINE_BYTES].decode(errors="replace").rstrip("\r"))
        if len(rest) > LINE_BYTES:
            on_line(rest[:LINE_BYTES].decode(errors="replace"))
            rest = b""
    if rest:
        on_line(rest.decode(errors="replace"))
