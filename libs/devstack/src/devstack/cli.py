"""`devstack`: the whole system on one machine, for development, demonstration and proof."""

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
from devstack.process.ports import require_free
from devstack.process.supervisor import Supervisor, stop_on_signals
from devstack.stack import smoke as smoking
from devstack.stack.stack import Club, Plan, Stack, running_stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
terminal = Console(stderr=True, highlight=False)

Athletes = Annotated[int, typer.Option(min=1, max=10_000, help="Size of the simulated club.")]
Days = Annotated[int, typer.Option(min=1, max=1000, help="Days of history.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same club.")]
Data = Annotated[
    Path | None, typer.Option(help="A folder with one <athlete_id>.json per athlete, in Strava's own JSON.")
]

SIGN_IN_PAUSE_S = 0.4  # slow enough to watch


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
    plan = Plan(Club(athletes, days, seed, data), folder.absolute(), port, grace_days=14)

    async def show(stack: Stack) -> None:
        _say(f"[bold]Gruppetto runs at {stack.web_url}[/bold]  (the simulated Strava: {stack.strava_url})")
        for number, athlete in enumerate(stack.athletes, start=1):
            await smoking.sign_everybody_in(stack, [athlete], 1)
            if number % 5 == 0 or number == len(stack.athletes):
                _say(f"{number} of {len(stack.athletes)} athletes have signed in")
            await asyncio.sleep(SIGN_IN_PAUSE_S)
        _say(f"Everybody is in: watch {stack.web_url}, or join yourself. Ctrl-C stops everything.")
        await asyncio.Event().wait()

    _run(plan, show, Log(Console(highlight=False), folder / "stack.log" if folder.is_dir() else None), port)


@app.command()
def smoke(
    *,
    athletes: Athletes = 50,
    days: Days = 90,
    seed: Seed = 1,
    data: Data = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the services log.")] = False,
) -> None:
    """Run the main job once, compare every row with an own calculation, and print one line of JSON."""
    plan = Plan(Club(athletes, days, seed, data), None, durable=False, log_level="INFO" if verbose else "WARNING")
    results: list[smoking.Result] = []

    async def check(stack: Stack) -> None:
        results.append(await smoking.check(stack, _say))

    _run(plan, check, Log(terminal))
    print(json.dumps(asdict(results[0])))  # noqa: T201 - the one line that scripts read
    sys.exit(1 if results[0].mismatches else 0)


def _run(plan: Plan, use: Callable[[Stack], Awaitable[None]], log: Log, port: int | None = None) -> None:
    """Run the stack around `use`; every expected trouble is one line and exit status 2."""
    try:
        if port is not None:
            require_free(port, "PORT")
        asyncio.run(_run_until_stopped(plan, use, log))
    except StackError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _stop(f"{error.filename or 'a file'}: {error.strerror}")


async def _run_until_stopped(plan: Plan, use: Callable[[Stack], Awaitable[None]], log: Log) -> None:
    async with stop_on_signals() as wanted, Supervisor(log) as supervisor:
        work = asyncio.create_task(_work(plan, use, supervisor))
        stop = asyncio.create_task(wanted.wait())
        died = asyncio.create_task(supervisor.failed())
        await asyncio.wait({work, stop, died}, return_when=asyncio.FIRST_COMPLETED)
        if wanted.is_set():
            _say("stopping")
        for task in (work, stop, died):
            if not task.done():
                task.cancel()
        await asyncio.wait({work, stop, died})
        if wanted.is_set():
            raise SystemExit(130)
        if not died.cancelled():
            raise StackError(str(died.result()))
        work.result()


async def _work(plan: Plan, use: Callable[[Stack], Awaitable[None]], supervisor: Supervisor) -> None:
    async with running_stack(plan, supervisor, _say) as stack:
        await use(stack)


def _say(line: str) -> None:
    terminal.print(f"[dim]devstack[/dim]     {line}", soft_wrap=True)


def _stop(message: str) -> NoReturn:
    terminal.print(f"devstack: {message}", style="red", soft_wrap=True, markup=False)
    raise SystemExit(2)
