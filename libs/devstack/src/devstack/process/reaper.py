"""Kills all processes of a stack after its runner has ended, also when the runner was killed.

Started by path with `python -I -S`, so it imports nothing but the standard library: reaper.py STACK_ID.
Each line of standard input is an action for the end, in JSON: ["remove", folder] or ["run", program, argument...].
The end of input means that the runner has ended. It reads /proc itself: psutil would need the site-packages.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

STACK_ID_VARIABLE = "GRUPPETTO_STACK"  # in the environment of every process of a stack: its id
KILL_SECONDS = 10.0
RUN_SECONDS = 20.0
EMPTY_SCANS = 5  # as many scans in a row must find no process
NULL = subprocess.DEVNULL


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    actions = [line for line in sys.stdin if line.endswith("\n")]
    kill_stack(sys.argv[1])
    for action, *arguments in map(json.loads, actions):
        if action == "remove":
            shutil.rmtree(arguments[0], ignore_errors=True)
        else:
            run_program(arguments)


def run_program(argv: list[str]) -> None:
    try:
        subprocess.run(argv, check=False, timeout=RUN_SECONDS, stdout=NULL, stderr=NULL, stdin=NULL)
    except (OSError, subprocess.SubprocessError):
        return


def kill_stack(stack_id: str, seconds: float = KILL_SECONDS) -> set[int]:
    """Kill every process of the stack; returns the ids of those that still exist after `seconds`.

    One scan is not enough: during execve the environment of a process reads as empty.
    """
    deadline = time.monotonic() + seconds
    empty_scans = 0
    while empty_scans < EMPTY_SCANS and time.monotonic() < deadline:
        pids = list_stack_pids(stack_id)
        empty_scans = 0 if pids else empty_scans + 1
        for pid in pids:
            kill_process(pid)
        time.sleep(0.02)
    return list_stack_pids(stack_id)


def kill_process(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def list_stack_pids(stack_id: str) -> set[int]:
    """The ids of live processes with the stack's id in their environment, and of all their descendants.

    Descendants, because Postgres' children overwrite their environment with their process title.
    """
    parents = {pid: parent for pid in list_pids() if (parent := find_parent_pid(pid)) is not None}
    found = {pid for pid in parents if stack_id in read_stack_ids(pid)}
    previous_count = -1
    while previous_count != len(found):
        previous_count = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


def list_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def find_parent_pid(pid: int) -> int | None:
    """The process id of the parent; None when the process has ended or is a zombie."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(parent)


def read_stack_ids(pid: int) -> list[str]:
    """The ids of the stacks that a process belongs to: several when a stack was started inside another."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return []
    for entry in environment.split(b"\0"):
        if entry.startswith(STACK_ID_VARIABLE.encode() + b"="):
            return entry.decode(errors="replace").partition("=")[2].split(":")
    return []


if __name__ == "__main__":
    main()
