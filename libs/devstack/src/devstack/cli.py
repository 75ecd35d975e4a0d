"""The command `devstack`: runs the whole system on one machine, to develop, show and check it."""

import asyncio
import errno
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console

from devstack.errors import StackError
from devstack.process.log import Log
from devstack.process.ports import require_free_port
from devstack.process.supervisor import Supervisor, stop_on_signals
from devstack.stack import smoke as smoke_test
from devstack.stack.browser import open_browser
from devstack.stack.demo_challenge import complete_challenge
from devstack.stack.demo_teams import choose_teams, join_team
from devstack.stack.sign_in_client import sign_in_with
from devstack.stack.stack import DatasetOptions, RealStrava, Stack, StackConfig, running_stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)

Athletes = Annotated[int, typer.Option(min=1, max=10_000, help="Size of the simulated club.")]
Days = Annotated[int, typer.Option(min=1, max=1000, help="Days of history.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same club.")]
Data = Annotated[
    Path | None, typer.Option(help="A folder with one <athlete_id>.json per athlete, in Strava's own JSON.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what the services log.")]

SIGN_IN_PAUSE_S = 0.4  # slow enough for a viewer to follow
NAMES_PER_LINE = 5
AUTO_UPLOAD_EVERY_S = 15.0
DEMO_FRESHNESS_S = 20
NO_CREDENTIALS = (
    "set STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET: create an application at https://www.strava.com/settings/api, "
    "enter {domain} there as its Authorization Callback Domain, and take both from that page"
)
#: Settings of auth and leaderboard that `run` passes on.
PASSED_ON = (
    "ADMIN_ATHLETE_IDS",
    "CHALLENGE_NAME",
    "CHALLENGE_FIRST_DAY",
    "CHALLENGE_LAST_DAY",
    "CHALLENGE_TIME_ZONE",
)


@app.command()
def demo(
    *,
    athletes: Athletes = 25,
    days: Days = 60,
    seed: Seed = 1,
    data: Data = None,
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT", help="Port of the pages.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Where its data are kept for the next start.")] = Path(".devstack"),
    verbose: Verbose = False,
) -> None:
    """Run everything with a simulated club; Ctrl-C stops it, and the next start goes on with the same data."""
    dataset = DatasetOptions(athletes, days, seed, data, AUTO_UPLOAD_EVERY_S)
    config = StackConfig(dataset, folder.absolute(), port, grace_days=14, freshness_s=DEMO_FRESHNESS_S, organisers=1)

    async def let_the_club_in(stack: Stack) -> None:
        await complete_challenge(stack)
        here = "" if verbose else "; here are only warnings and errors"
        _report(f"what the services log is in {_log_file(folder)}{here}")
        _report(f"[bold]Gruppetto runs at {stack.web_url}[/bold]")
        await _sign_in_slowly(stack)
        _report(f"Everybody is in: watch {stack.web_url}, or join yourself. Ctrl-C stops everything.")
        await asyncio.Event().wait()

    log = Log(Console(highlight=False), _log_file(folder), hides_routine=not verbose)
    _run(config, let_the_club_in, log, port)


async def _sign_in_slowly(stack: Stack) -> None:
    """Let one athlete after the other sign in and go to their team."""
    names: list[str] = []
    teams = choose_teams(len(stack.athletes))
    for number, (athlete, team) in enumerate(zip(stack.athletes, teams, strict=True), start=1):
        async with open_browser() as browser:
            await sign_in_with(browser, stack.web_url, athlete.id)
            await asyncio.sleep(SIGN_IN_PAUSE_S)
            if team is not None and not await join_team(browser, stack.web_url, team):
                _report(f"{athlete.name} could not join the team {team}")
        names.append(athlete.name)
        if len(names) == NAMES_PER_LINE or number == len(stack.athletes):
            _report(f"{number} of {len(stack.athletes)} athletes have signed in: {', '.join(names)}")
            names.clear()


@app.command()
def run(
    *,
    client_id: Annotated[int, typer.Option(envvar="STRAVA_CLIENT_ID", help="The application's id at Strava.")] = 0,
    client_secret: Annotated[
        str, typer.Option(envvar="STRAVA_CLIENT_SECRET", help="Its secret; better in the environment.")
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT", help="Port of the pages.")] = 8000,
    public_url: Annotated[
        str, typer.Option(envvar="PUBLIC_URL", help="Where people reach the pages, if not at localhost.")
    ] = "",
    webhook_url: Annotated[
        str,
        typer.Option(envvar="WEBHOOK_URL", help="Where Strava reaches the webhook port; without it, no webhooks."),
    ] = "",
    webhook_port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="WEBHOOK_PORT", help="Port of the webhooks.")
    ] = 8001,
    folder: Annotated[Path, typer.Option(help="Where its data are kept for the next start.")] = Path(".gruppetto"),
) -> None:
    """Run everything with the real Strava; Ctrl-C stops it, and the next start goes on with the same data.

    The challenge is set with CHALLENGE_NAME, CHALLENGE_FIRST_DAY, CHALLENGE_LAST_DAY and CHALLENGE_TIME_ZONE, the
    organisers with ADMIN_ATHLETE_IDS.
    """
    public_url = public_url.rstrip("/") or f"http://localhost:{port}"
    if not client_id or not client_secret:
        _exit_with_error(NO_CREDENTIALS.format(domain=urlsplit(public_url).hostname))
    passed_on = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    strava = RealStrava(client_id, client_secret, public_url, webhook_url or None, webhook_port, passed_on)

    async def show(_stack: Stack) -> None:
        _report(f"[bold]Gruppetto runs at {public_url}[/bold]")
        told = f"Strava's webhooks are expected at {webhook_url}" if webhook_url else "no webhooks (set WEBHOOK_URL)"
        _report(f"{told}; `set -a; . {folder}/operator.env` and `gruppetto sync status` tell how it goes")
        _report(f"what the services log is in {_log_file(folder)}, too")
        await asyncio.Event().wait()

    log = Log(Console(highlight=False), _log_file(folder))
    _run(StackConfig(strava, folder.absolute(), port), show, log, port)


@app.command()
def smoke(
    *,
    athletes: Athletes = 50,
    days: Days = 90,
    seed: Seed = 1,
    data: Data = None,
    verbose: Verbose = False,
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


def _log_file(folder: Path) -> Path:
    return folder / "stack.log"


def _report(line: str) -> None:
    console.print(f"[dim]devstack[/dim]     {line}", soft_wrap=True)


def _exit_with_error(message: str) -> NoReturn:
    console.print(f"devstack: {message}", style="red", soft_wrap=True, markup=False)
    raise SystemExit(2)
