"""The command `devstack`: runs the whole system on one machine, to develop, show and check it."""

import asyncio
import errno
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from devstack.errors import StackError
from devstack.process.log import Log
from devstack.process.ports import require_free_port
from devstack.process.supervisor import Supervisor, stop_on_signals
from devstack.stack import smoke as smoke_test
from devstack.stack.stack import DatasetOptions, Stack, StackConfig, running_stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)

Athletes = Annotated[int, typer.Option(min=1, max=10_000, help="Size of the simulated club.")]
Days = Annotated[int, typer.Option(min=1, max=1000, help="Days of history.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same club.")]
Data = Annotated[
    Path | None, typer.Option(help="A folder with one <athlete_id>.json per athlete, in Strava's own JSON.")
]

SIGN_IN_PAUSE_S = 0.4  # slow enough for a viewer to follow


@app.command()
def demo(
    *,
    athletes: Athletes = 25,
    days: Days = 60,
    seed: Seed = 1,
    data: Data = None,
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT", help="Port of the pages.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Where its data are kept for the next start.")] = Path(".devstack"),
) -> None:
    """Run everything with a simulated club; Ctrl-C stops it."""
    config = StackConfig(DatasetOptions(athletes, days, seed, data), folder.absolute(), port, grace_days=14)

    async def sign_in_slowly(stack: Stack) -> None:
        _report(f"[bold]Gruppetto runs at {stack.web_url}[/bold]  (the simulated Strava: {stack.strava_url})")
        for number, athlete in enumerate(stack.athletes, start=1):
            await smoke_test.sign_in_all(stack, [athlete], 1)
            if number % 5 == 0 or number == len(stack.athletes):
                _report(f"{number} of {len(stack.athletes)} athletes have signed in")
            await asyncio.sleep(SIGN_IN_PAUSE_S)
        _report(f"Everybody is in: watch {stack.web_url}, or join yourself. Ctrl-C stops everything.")
        await asyncio.Event().wait()

    _run(
        config, sign_in_slowly, Log(Console(highlight=False), folder / "stack.log" if folder.is_dir() else None), port
    )


@app.command()
def smoke(
    *,
    athletes: Athletes = 50,
    days: Days = 90,
    seed: Seed = 1,
    data: Data = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the services log.")] = False,
) -> None:
    """Run the main job once, compare every row with an independent calculation, and print one line of JSON."""
    config = StackConfig(
        DatasetOptions(athletes, days, seed, data), None, durable=False, log_level="INFO" if verbose else "WARNING"
    )
    results: list[smoke_test.SmokeResult] = []

    async def check(stack: Stack) -> None:
        results.append(await smoke_test.run_smoke_test(stack, _report))

    _run(config, check, Log(console))
    print(json.dumps(asdict(results[0])))  # noqa: T201 - standard output is for scripts
    sys.exit(1 if results[0].mismatches else 0)


def _run(config: StackConfig, use: Callable[[Stack], Awaitable[None]], log: Log, port: int | None = None) -> None:
    """Run the stack and `use` it; an expected error is printed as one line, with exit status 2."""
    try:
        if port is not None:
            require_free_port(port, "PORT")
        asyncio.run(_run_until_stopped(config, use, log))
    except StackError as error:
        _exit_with_error(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _exit_with_error(f"{error.filename or 'a file'}: {error.strerror}")


async def _run_until_stopped(config: StackConfig, use: Callable[[Stack], Awaitable[None]], log: Log) -> None:
    """Run until `use` ends, a signal asks to stop (exit status 130) or a process ends unexpectedly (StackError)."""
    async with stop_on_signals() as stop_requested, Supervisor(log) as supervisor:
        work = asyncio.create_task(_run_stack(config, use, supervisor))
        stop = asyncio.create_task(stop_requested.wait())
        failure = asyncio.create_task(supervisor.wait_for_failure())
        await asyncio.wait({work, stop, failure}, return_when=asyncio.FIRST_COMPLETED)
        if stop_requested.is_set():
            _report("stopping")
        for task in (work, stop, failure):
            if not task.done():
                task.cancel()
        await asyncio.wait({work, stop, failure})
        if stop_requested.is_set():
            raise SystemExit(130)
        if not failure.cancelled():
            raise StackError(str(failure.result()))
        work.result()


async def _run_stack(config: StackConfig, use: Callable[[Stack], Awaitable[None]], supervisor: Supervisor) -> None:
    async with running_stack(config, supervisor, _report) as stack:
        await use(stack)


def _report(line: str) -> None:
    console.print(f"[dim]devstack[/dim]     {line}", soft_wrap=True)


def _exit_with_error(message: str) -> NoReturn:
    console.print(f"devstack: {message}", style="red", soft_wrap=True, markup=False)
    raise SystemExit(2)
