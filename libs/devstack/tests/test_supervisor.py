import asyncio
import io
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from devstack.errors import StackError
from devstack.process import reaper
from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.process.log import Log
from devstack.process.supervisor import Supervisor
from testkit.waiting import block_until

STUBBORN = "trap '' TERM; echo armed; while :; do sleep 0.1; done"


async def wait_until_printed(supervisor: Supervisor, name: str, words: str) -> None:
    process = supervisor.processes[name]

    async def has_printed() -> bool:
        return any(words in line for line in process.last_lines)

    await supervisor.wait_until_ready(name, has_printed, 5)


async def test_each_line_stands_behind_the_name_of_its_process(tmp_path: Path):
    screen = io.StringIO()
    log = Log(Console(file=screen, width=40), tmp_path / "stack.log")
    async with Supervisor(log) as supervisor:
        script = "echo one; echo two >&2; printf '\\033[31mred\\033[0m\\n'; printf last; exit 3"
        await supervisor.start("talker", ["sh", "-c", script])
        died = await supervisor.wait_for_failure()
    assert screen.getvalue().splitlines() == [f"{'talker':<12} {line}" for line in ("one", "two", "red", "last")]
    assert (tmp_path / "stack.log").read_text() == screen.getvalue()
    assert str(died) == "talker ended with code 3: last"


def test_with_routine_hidden_the_screen_shows_what_may_be_trouble_and_the_file_everything(tmp_path: Path):
    routine = [f"2026-11-05T08:30:00.123456Z [{level:<9}] going well [some.module]" for level in ("debug", "info")]
    trouble = [f"2026-11-05T08:30:00.123456Z [{level:<9}] not so well" for level in ("warning", "error", "critical")]
    others = ["Traceback (most recent call last):", "  [info] is what it said", "cannot start: HTTP_PORT is missing"]
    screen = io.StringIO()
    log = Log(Console(file=screen, width=40), tmp_path / "stack.log", hides_routine=True)
    for line in (*routine, *trouble, *others):
        log.write_line("web", line)
    log.close()
    assert screen.getvalue().splitlines() == [f"{'web':<12} {line}" for line in (*trouble, *others)]
    assert len((tmp_path / "stack.log").read_text().splitlines()) == len(routine + trouble + others)


def test_the_log_file_may_be_in_a_folder_that_is_made_later(tmp_path: Path):
    log = Log(file=tmp_path / "later/stack.log")
    (tmp_path / "later").mkdir()
    log.write_line("web", "first")
    log.close()
    log.write_line("web", "too late")
    assert (tmp_path / "later/stack.log").read_text() == f"{'web':<12} first\n"


async def test_a_very_long_line_does_not_stop_the_log():
    async with Supervisor() as supervisor:
        await supervisor.start("talker", ["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end"])
        died = await supervisor.wait_for_failure()
    assert died.last_lines[-1] == "end"


async def test_a_missing_program_is_named_in_one_line():
    async with Supervisor() as supervisor:
        with pytest.raises(StackError, match=r"^lost ended with code 127: cannot run /no/such: No such file"):
            await supervisor.run("lost", ["/no/such"])


async def test_a_process_that_ends_early_is_never_ready():
    async def never() -> bool:
        return False

    async with Supervisor() as supervisor:
        await supervisor.start("short", ["sh", "-c", "echo broken; exit 1"])
        with pytest.raises(StackError, match=r"^short ended with code 1: broken$"):
            await supervisor.wait_until_ready("short", never, 10)


async def test_a_stopped_process_is_not_reported_as_failed():
    async with Supervisor() as supervisor:
        await supervisor.start("steady", ["sleep", "60"])
        await supervisor.stop("steady")
        await supervisor.start("loud", ["false"])
        assert (await supervisor.wait_for_failure()).name == "loud"


async def test_a_process_that_ignores_sigterm_is_killed_after_its_bound():
    async with Supervisor() as supervisor:
        process = await supervisor.start("stubborn", ["sh", "-c", STUBBORN], stop_seconds=0.2)
        await wait_until_printed(supervisor, "stubborn", "armed")
    assert process.done.result() == -signal.SIGKILL


async def test_servers_end_after_those_who_use_them(tmp_path: Path):
    log = tmp_path / "log"
    script = "trap 'sleep 0.2; echo {0} ended; exit 0' TERM; echo {0} up; while :; do sleep 0.05; done"
    async with Supervisor(Log(file=log)) as supervisor:
        for name, shutdown_order in (("service", 0), ("server", 1)):
            await supervisor.start(name, ["sh", "-c", script.format(name)], shutdown_order=shutdown_order)
            await wait_until_printed(supervisor, name, "up")
    lines = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    assert lines[-2:] == ["service ended", "server ended"]


async def test_children_see_only_the_environment_they_are_given():
    async with Supervisor() as supervisor:
        await supervisor.start("env", ["/usr/bin/env"], env={"ONLY": "this"})
        died = await supervisor.wait_for_failure()
    process_names = {line.partition("=")[0] for line in died.last_lines}
    assert process_names - {"PWD", "LC_CTYPE"} == {"ONLY", reaper.STACK_ID_VARIABLE}


async def test_children_hear_signals_that_we_ignore_or_hold_back():
    """As under `nohup`, and in the background of a script."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE}
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, *numbers})
    try:
        async with Supervisor() as supervisor:
            await supervisor.start("status", ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])
            died = await supervisor.wait_for_failure()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
    masks = {name: int(mask, 16) for name, mask in (line.split(":\t") for line in died.last_lines)}
    assert masks["SigBlk"] == 0
    assert not masks["SigIgn"] & sum(1 << (number - 1) for number in numbers)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_reaches_the_runner_alone_and_leaves_nothing(run_stack, times: int):
    runner = run_stack("daemon")
    runner.wait_until_reported("ready")
    block_until(lambda: len(runner.processes) >= 3)
    for _ in range(times):
        os.killpg(runner.process.pid, signal.SIGINT)
    runner.wait_until_reported("ended")
    assert runner.process.wait(10) == 0
    assert not runner.processes


def test_nothing_outlives_a_killed_runner(run_stack):
    runner = run_stack("daemon")
    runner.wait_until_reported("ready")
    runner.process.kill()
    runner.wait_until_gone()


def test_nothing_outlives_a_runner_that_is_killed_while_it_starts(run_stack):
    runner = run_stack("daemon")
    runner.wait_until_reported("stack")
    block_until(lambda: runner.processes)
    runner.process.kill()
    runner.wait_until_gone()


def test_a_process_that_shows_no_stack_id_for_a_moment_is_still_found(monkeypatch):
    """During execve its environment reads as empty."""
    scans = iter([{2**30}, set(), set(), {2**30 + 1}])
    killed = []
    monkeypatch.setattr(reaper, "list_stack_pids", lambda _: next(scans, set()))
    monkeypatch.setattr(reaper, "kill_process", killed.append)
    assert reaper.kill_stack("stack") == set()
    assert killed == [2**30, 2**30 + 1]


def test_a_killed_reaper_is_replaced_and_nothing_outlives_the_runner(run_stack):
    runner = run_stack("daemon")
    runner.wait_until_reported("ready")
    os.kill(runner.facts["reaper"], signal.SIGKILL)
    block_until(lambda: reaper_pids(runner.facts["stack"]) - {runner.facts["reaper"]})
    runner.process.kill()
    runner.wait_until_gone()


def test_children_vanish_when_runner_and_reaper_are_killed_together(run_stack):
    runner = run_stack("daemon")
    runner.wait_until_reported("ready")
    children = {pid for pid in runner.processes if reaper.find_parent_pid(pid) == runner.process.pid}
    os.kill(runner.facts["reaper"], signal.SIGSTOP)
    runner.process.kill()
    os.kill(runner.facts["reaper"], signal.SIGKILL)
    assert children
    block_until(lambda: all(reaper.find_parent_pid(pid) is None for pid in children))
    # A daemon of a daemon has no parent left that could die; the next start in the same folder kills it.
    assert reaper.kill_stack(runner.facts["stack"]) == set()


@pytest.mark.parametrize("steps", [1, 2])  # once the process exists, and before the start is complete
async def test_a_start_that_is_cancelled_leaves_nothing_for_the_reaper(steps: int):
    async with Supervisor() as supervisor:
        children, open_files = list_children(), list_open_files()
        starting = asyncio.create_task(supervisor.start("slow", ["sleep", "60"]))
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert list_children() <= children
        assert list_open_files() <= open_files
        assert supervisor.processes == {}


def list_children() -> set[int]:
    return {pid for pid in reaper.list_pids() if reaper.find_parent_pid(pid) == os.getpid()}


def list_open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def reaper_pids(stack: str) -> set[int]:
    found = set()
    for pid in reaper.list_pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if stack.encode() in words and reaper.find_parent_pid(pid) is not None:
            found.add(pid)
    return found


async def test_the_first_error_of_several_is_raised_unchanged_and_cancels_the_others():
    cancelled = asyncio.Event()

    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def hasty() -> None:
        raise StackError("no")

    with pytest.raises(StackError, match=r"^no$"):
        await gather_or_cancel(patient(), hasty())
    assert cancelled.is_set()
