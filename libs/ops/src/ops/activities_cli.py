"""`gruppetto activities`: what the record knows of activities, and why. Never a name or a place."""

from typing import Annotated

import typer

from ops.cli_common import counted, format_time, ingest_api, print_table, write_array, write_object
from shared.contracts.ingest_api import (
    ActivityHistory,
    PurgeReport,
    RecordCounts,
    RejectedActivity,
    RejectedPage,
    ReplayedRejections,
)

activities_app = typer.Typer(
    no_args_is_help=True, help="The record of activities: counts, histories, what was rejected, what is deleted."
)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
PAGE = 500


@activities_app.command()
def counts(ctx: typer.Context, *, json: Json = False) -> None:
    """How many are on record, rejected, private or removed, and why some are rejected."""
    with ingest_api(ctx) as api:
        shown = api.fetch("GET", "/counts", RecordCounts)
    if json:
        write_object(shown.model_dump(mode="json"))
        return
    typer.echo(
        f"{counted(shown.recorded, 'activity', 'activities')} of {counted(shown.people, 'person', 'people')}, "
        f"of which {shown.flagged} flagged by Strava, {shown.suspicious} suspicious, {shown.overlapping} overlapping"
    )
    typer.echo(f"not on record: {shown.rejected} rejected, {shown.private} private, {shown.removed} removed")
    if shown.kept_from is not None:
        done = "" if shown.purged_before == shown.kept_from else "; older ones are being deleted"
        typer.echo(f"kept from {format_time(shown.kept_from)} on{done}")
    if shown.rejections:
        print_table(("activities", "rejected because"), [(n, reason) for reason, n in shown.rejections.items()])


@activities_app.command()
def show(
    ctx: typer.Context,
    strava_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The activity's id at Strava.")],
    *,
    json: Json = False,
) -> None:
    """What is known of one activity, and which message set which version."""
    with ingest_api(ctx) as api:
        shown = api.fetch("GET", f"/activities/{strava_id}", ActivityHistory)
    if json:
        write_object(shown.model_dump(mode="json"))
        return
    typer.echo(f"activity {strava_id} of user {shown.user_id}: {shown.state}, last said in fetch {shown.fetch_seq}")
    if shown.rejection is not None:
        typer.echo(f"rejected because: {shown.rejection}")
    if shown.facts is not None:
        print_table(("fact", "value"), [(name, _format_fact(value)) for name, value in shown.facts.items()])
        typer.echo()
    print_table(
        ("version", "event", "reason", "changed", "at", "message"),
        [
            (
                str(one.version),
                one.event,
                one.reason,
                ", ".join(one.changed),
                format_time(one.changed_at),
                str(one.message_id or ""),
            )
            for one in shown.versions
        ],
    )


def _format_fact(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@activities_app.command()
def rejected(ctx: typer.Context, *, json: Json = False) -> None:
    """Every activity that cannot be recorded, with its reason; with --json also what Strava said."""
    found: list[RejectedActivity] = []
    after: int | None = 0
    with ingest_api(ctx) as api:
        while after is not None:
            page = api.fetch("GET", "/rejected", RejectedPage, {"after": str(after), "limit": str(PAGE)})
            found += page.rejected
            after = page.next_after
    if json:
        write_array([one.model_dump(mode="json") for one in found])
        return
    typer.echo(f"{counted(len(found), 'activity', 'activities')} rejected")
    if found:
        print_table(
            ("activity", "user", "since", "rejected because"),
            [(str(one.strava_id), str(one.user_id), format_time(one.rejected_at), one.reason) for one in found],
        )


@activities_app.command()
def replay(ctx: typer.Context) -> None:
    """Try every rejected activity again, after an upgrade that can read more."""
    with ingest_api(ctx) as api:
        done = api.fetch("POST", "/rejected/replay", ReplayedRejections)
    typer.echo(f"{counted(done.tried, 'activity', 'activities')} tried again, {done.accepted} not rejected any more")


@activities_app.command()
def purge(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    json: Json = False,
) -> None:
    """Delete now what is not kept any more, which ingest also does by itself."""
    with ingest_api(ctx) as api:
        report = api.fetch("GET" if dry_run else "POST", "/purge", PurgeReport)
    if json:
        write_object(report.model_dump(mode="json"))
        return
    if report.before is None:
        typer.echo("nothing: leaderboard has not said yet from when on activities are kept")
        return
    verb = "would be deleted" if dry_run else "deleted"
    typer.echo(
        f"{verb}, because they started before {format_time(report.before)}: "
        f"{counted(report.recorded, 'activity', 'activities')}, and what is known of {report.rejected} rejected, "
        f"{report.private} private and {report.removed} removed ones"
    )
