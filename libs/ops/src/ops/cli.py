"""`gruppetto`: the operator's command."""

import typer

from ops.activities_cli import activities_app
from ops.admins_cli import admins_app
from ops.api_keys_cli import api_keys_app
from ops.archive_cli import archive_app
from ops.contracts_cli import contracts_app
from ops.dead_letters_cli import dead_letters_app
from ops.sessions_cli import sessions_app
from ops.standings_cli import standings_app
from ops.sync_cli import sync_app, webhooks_app
from ops.topology_cli import topology_app
from ops.vault_cli import vault_app

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(archive_app, name="archive")
app.add_typer(contracts_app, name="contracts")
app.add_typer(topology_app, name="topology")
app.add_typer(vault_app, name="vault")
app.add_typer(admins_app, name="admins")
app.add_typer(sessions_app, name="sessions")
app.add_typer(sync_app, name="sync")
app.add_typer(webhooks_app, name="webhooks")
app.add_typer(activities_app, name="activities")
app.add_typer(api_keys_app, name="api-keys")
app.add_typer(standings_app, name="standings")


if __name__ == "__main__":
    app()
