"""`gruppetto sync` and `gruppetto webhooks`: how fetching from Strava goes. Never a name or an activity."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from ops.cli_common import counted, format_time, print_table, sync_api, write_object
from shared.contracts.sync_api import (
    AthletePage,
    AthleteStatus,
    OpenedJobs,
    SubscriptionCheck,
    SyncErrors,
    SyncStatus,
    WindowStatus,
)

sync_app = typer.Typer(no_args_is_help=True, help="Fetching from Strava: calls, jobs, nights, athletes.")
webhooks_app = typer.Typer(no_args_is_help=True, help="Strava's webhooks: the subscription.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
PAGE = 500


@sync_app.command()
def status(ctx: typer.Context, *, json: Json = False) -> None:
    """How it goes altogether: calls left, open jobs, webhooks, the last nights."""
    with sync_api(ctx) as api:
        shown = api.fetch("GET", "/status", SyncStatus)
    if json:
        write_object(shown.model_dump(mode="json"))
        return
    _print_budget(shown)
    _print_athletes(shown)
    queues = [(one.kind, one.due, one.waiting, one.running, format_time(one.next_at)) for one in shown.queues]
    _print_if_any("no jobs are open", ("jobs", "due", "waiting", "running", "next at"), queues)
    _print_if_any(
        "no night has begun yet",
        ("night", "began", "ended", "athletes", "done", "failed", "open"),
        [
            (
                str(one.local_date),
                format_time(one.started_at),
                format_time(one.finished_at),
                one.athletes,
                one.succeeded,
                one.failed,
                one.open,
            )
            for one in shown.nightly_runs
        ],
    )


def _print_if_any(otherwise: str, titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        print_table(titles, rows)
    else:
        typer.echo(otherwise)


def _print_budget(shown: SyncStatus) -> None:
    if shown.budget.inactive_since is not None:
        since = format_time(shown.budget.inactive_since)
        typer.echo(f"Strava says since {since} that the application is inactive: NOTHING IS FETCHED")
    print_table(
        ("calls", "used", "of", "left", "next at", "for each kind of job"),
        [_window("quarter hour", shown.budget.quarter), _window("day", shown.budget.day)],
    )
    if shown.budget.last_unforeseen_refusal_at is not None:
        typer.echo(f"a call was refused unforeseen at {format_time(shown.budget.last_unforeseen_refusal_at)}")


def _window(name: str, window: WindowStatus) -> tuple[Any, ...]:
    kinds = ", ".join(f"{kind} {left}" for kind, left in window.left_by_kind.items())
    return name, window.used, window.limit, window.left, format_time(window.ends_at), kinds


def _print_athletes(shown: SyncStatus) -> None:
    by_status = ", ".join(f"{number} {status}" for status, number in sorted(shown.athletes.items()))
    typer.echo(f"athletes: {by_status or 'none'}; {shown.never_listed} were never listed")
    typer.echo(f"oldest complete listing: {format_time(shown.oldest_listing_at)}")
    typer.echo(f"activities are needed since: {format_time(shown.needed_since)}")
    hooks = shown.webhooks
    healthy = "subscribed" if hooks.subscribed and not hooks.problem else hooks.problem or "off"
    typer.echo(
        f"webhooks: {healthy}, checked {format_time(hooks.checked_at)}, "
        f"last event {format_time(hooks.last_event_at)}, {counted(hooks.pending_events, 'event')} pending"
    )


@sync_app.command()
def athletes(
    ctx: typer.Context,
    *,
    only: Annotated[str | None, typer.Option("--status", help="authorized, needs_reconnect or disconnected.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose last fetch failed.")] = False,
    json: Json = False,
) -> None:
    """Every athlete by user id: when they were listed, what failed, what is due."""
    found: list[AthleteStatus] = []
    after: UUID | None = None
    with sync_api(ctx) as api:
        while True:
            params = {"limit": PAGE, "after": after, "status": only, "failed": failed}
            given = {name: str(value).lower() for name, value in params.items() if value is not None}
            page = api.fetch("GET", "/athletes", AthletePage, given)
            found += page.athletes
            after = page.next_after
            if after is None:
                break
    if json:
        write_object({"athletes": [one.model_dump(mode="json") for one in found]})
        return
    typer.echo(counted(len(found), "athlete"))
    print_table(("user", "status", "listed", "fetched", "error", "open jobs", "next at"), map(_athlete, found))


def _athlete(one: AthleteStatus) -> tuple[Any, ...]:
    return (
        str(one.user_id),
        one.status,
        format_time(one.last_synced_at),
        format_time(one.last_fetched_at),
        one.last_error or "",
        ", ".join(one.open_jobs),
        format_time(one.next_sync_at),
    )


@sync_app.command()
def errors(ctx: typer.Context, *, json: Json = False) -> None:
    """The last errors of jobs, as codes."""
    with sync_api(ctx) as api:
        found = api.fetch("GET", "/errors", SyncErrors).errors
    if json:
        write_object({"errors": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        (str(one.user_id), one.kind, one.error, one.attempts, format_time(one.failed_at), format_time(one.next_at))
        for one in found
    ]
    _print_if_any("no errors", ("user", "job", "error", "attempts", "failed at", "again at"), rows)


@sync_app.command()
def request(
    ctx: typer.Context,
    user_id: Annotated[UUID | None, typer.Argument(help="A user id; --all for everybody.")] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody who may be fetched.")] = False,
) -> None:
    """Have activities fetched as soon as there are calls for it: one athlete's, or everybody's."""
    if (user_id is None) != everybody:
        raise typer.BadParameter("give a user id, or --all")
    params = {} if user_id is None else {"user_id": str(user_id)}
    with sync_api(ctx) as api:
        opened = api.fetch("POST", "/syncs", OpenedJobs, params).opened
    typer.echo(f"{counted(opened, 'job')} opened")


@webhooks_app.command()
def check(ctx: typer.Context) -> None:
    """Check the subscription at Strava, and create or replace it where needed (exit status 1 if that fails)."""
    with sync_api(ctx) as api:
        found = api.fetch("POST", "/subscription", SubscriptionCheck)
    typer.echo("subscribed" if found.problem is None else f"not subscribed: {found.problem}")
    if found.problem is not None:
        raise SystemExit(1)
