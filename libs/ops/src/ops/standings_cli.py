"""`gruppetto standings`: whether they are current, and computing them anew."""

from typing import Annotated

import typer

from ops.cli_common import counted, leaderboard_api, write_object
from shared.contracts.organisers_api import StandingsState

standings_app = typer.Typer(no_args_is_help=True, help="Standings: whether they are current; compute them anew.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@standings_app.command()
def status(ctx: typer.Context, *, json: Json = False) -> None:
    """Show how many boards are shown and being computed, who waits, and what the last nightly check found."""
    with leaderboard_api(ctx) as api:
        _show(api.fetch("GET", "/standings", StandingsState), json=json)


@standings_app.command()
def rebuild(ctx: typer.Context, *, json: Json = False) -> None:
    """Compute all standings from the activities once more, beside those that are shown, and then show these."""
    with leaderboard_api(ctx) as api:
        _show(api.fetch("POST", "/standings/rebuild", StandingsState), json=json)


def _show(state: StandingsState, *, json: bool) -> None:
    if json:
        write_object(state.model_dump(mode="json"))
        return
    typer.echo(f"{counted(state.live, 'board')} shown, {state.building} being computed")
    if state.retired:
        typer.echo(f"{counted(state.retired, 'former version')} to be deleted")
    if state.recalculations:
        typer.echo(f"{counted(state.recalculations, 'participant')} with many activities being scored")
    if state.last_drift is None:
        typer.echo("never checked")
    else:
        typer.echo(f"{counted(state.last_drift, 'total')} differed at the last check")
