"""The guard outlives the runner by a moment, to end whatever a killed runner leaves behind.

Started by path with `python -I -S`, so it imports nothing but the standard library: guard.py STACK_ID.
Reads one JSON list a line from standard input: ["remove", folder] or ["run", program, argument...], to be
done at the end. The end of input means that the runner stopped or died.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

MARKER = "GRUPPETTO_STACK"
SWEEP_SECONDS = 10.0
RUN_SECONDS = 20.0
LOOKS = 5
NULL = subprocess.DEVNULL


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    last_wishes = [line for line in sys.stdin if line.endswith("\n")]
    sweep(sys.argv[1])
    for verb, *arguments in map(json.loads, last_wishes):
        if verb == "remove":
            shutil.rmtree(arguments[0], ignore_errors=True)
        else:
            run(arguments)


def run(argv: list[str]) -> None:
    try:
        subprocess.run(argv, check=False, timeout=RUN_SECONDS, stdout=NULL, stderr=NULL, stdin=NULL)
    except (OSError, subprocess.SubprocessError):
        return


def sweep(stack: str, seconds: float = SWEEP_SECONDS) -> set[int]:
    """Kill every process of the stack, and return those that are still there after the deadline.

    One look that finds nothing is no proof: a process shows no environment while it becomes another program.
    """
    deadline = time.monotonic() + seconds
    nothing_found = 0
    while nothing_found < LOOKS and time.monotonic() < deadline:
        doomed = stack_processes(stack)
        nothing_found = 0 if doomed else nothing_found + 1
        for pid in doomed:
            kill(pid)
        time.sleep(0.02)
    return stack_processes(stack)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def stack_processes(stack: str) -> set[int]:
    """Live processes that carry the stack's mark, and all their descendants.

    Descendants, because Postgres' children write their title over their environment.
    """
    parents = {pid: parent for pid in all_pids() if (parent := live_parent(pid)) is not None}
    found = {pid for pid in parents if stack in marks(pid)}
    grown = -1
    while grown != len(found):
        grown = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def live_parent(pid: int) -> int | None:
    """The parent's process id, or None when the process is gone or a zombie."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(parent)


def marks(pid: int) -> list[str]:
    """The stacks that a process belongs to; a stack started inside another belongs to both."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return []
    for entry in environment.split(b"\0"):
        if entry.startswith(MARKER.encode() + b"="):
            return entry.decode(errors="replace").partition("=")[2].split(":")
    return []


if __name__ == "__main__":
    main()
