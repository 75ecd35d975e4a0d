"""`gruppetto admins`: who may administer challenges."""

from collections.abc import Sequence
from typing import Annotated

import typer

from ops.cli_common import auth_api, counted, print_table, write_array, write_object
from shared.contracts.auth_api import Admin, AdminList

admins_app = typer.Typer(
    no_args_is_help=True,
    help="Admins, who may administer challenges: athletes named in ADMIN_ATHLETE_IDS of auth, or by command.",
)

AthleteId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The athlete's id at Strava.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@admins_app.command("list")
def list_(ctx: typer.Context, *, json: Json = False) -> None:
    """List all admins, whether they have joined or not."""
    with auth_api(ctx) as auth:
        admins = auth.fetch("GET", "/admins", AdminList).admins
    if json:
        write_array([admin.model_dump(mode="json") for admin in admins])
        return
    typer.echo(counted(len(admins), "admin"))
    _print(admins)


@admins_app.command()
def add(ctx: typer.Context, athlete_id: AthleteId, *, json: Json = False) -> None:
    """Make an athlete an admin, now or as soon as they join. Doing it again changes nothing."""
    with auth_api(ctx) as auth:
        admin = auth.fetch("PUT", f"/admins/{athlete_id}", Admin)
    if json:
        write_object(admin.model_dump(mode="json"))
        return
    later = "" if admin.user_id else " as soon as they join"
    typer.echo(f"athlete {athlete_id} is an admin{later}")
    _print([admin])


@admins_app.command()
def remove(ctx: typer.Context, athlete_id: AthleteId, *, json: Json = False) -> None:
    """Make an athlete an admin no more, unless ADMIN_ATHLETE_IDS names them."""
    with auth_api(ctx) as auth:
        auth.send("DELETE", f"/admins/{athlete_id}")
    if json:
        write_object({"removed": athlete_id})
        return
    typer.echo(f"athlete {athlete_id} is no admin any more")


def _print(admins: Sequence[Admin]) -> None:
    rows = [(admin.athlete_id, admin.source, admin.user_id or "", admin.display_name or "") for admin in admins]
    if rows:
        print_table(("athlete", "named by", "user", "name"), rows)
