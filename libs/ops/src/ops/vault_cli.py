"""`gruppetto vault`: the tokens that auth keeps, and the keys that they are under. Never a token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops import vault
from ops.cli_common import auth_api, counted, print_table, write_object
from ops.errors import OperatorError
from ops.internal_api import InternalApi, ServerAway
from ops.vault import DEFAULT_BATCH, MAX_BATCH, VaultTally

vault_app = typer.Typer(
    no_args_is_help=True, help="The vault: tokens of Strava's, encrypted under VAULT_KEYS of auth."
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
OnTally: TypeAlias = Callable[[VaultTally], None]


@vault_app.command()
def check(ctx: typer.Context, *, json: Json = False) -> None:
    """Decrypt every token: which keys are in use, and what cannot be read (exit status 1). Changes nothing."""
    tally = VaultTally()
    with auth_api(ctx) as api:
        for page in vault.check(api, _on_wait):
            tally.add(page)
    if json:
        write_object(_to_object(tally, "rows", "rows_by_key", "unreadable"))
    else:
        typer.echo(counted(tally.rows, "row"))
        _print_keys_and_unreadable(tally)
    if tally.unreadable:
        raise SystemExit(1)


@vault_app.command(short_help="Encrypt every token that is under another key under the first one of VAULT_KEYS.")
def rotate(
    ctx: typer.Context,
    *,
    batch: Annotated[
        int, typer.Option(min=1, max=MAX_BATCH, help="Rows at a time; they are locked meanwhile.")
    ] = DEFAULT_BATCH,
    json: Json = False,
) -> None:
    """Encrypt every token that is under another key under the first one of VAULT_KEYS.
    It can be interrupted and run again: what is under that key is left alone. A token that cannot be read stays as it
    is, and makes the exit status 1.
    """
    tally = VaultTally()
    try:
        with auth_api(ctx) as api:
            _rotate(api, batch, tally)
    except SystemExit as end:
        if end.code == 130:
            typer.echo("gruppetto: interrupted; run it again to go on", err=True)
        if tally.rows:  # what was encrypted before the end is encrypted
            _report(tally, json)
        raise
    _report(tally, json)
    if tally.unreadable:
        raise SystemExit(1)


def _rotate(api: InternalApi, batch: int, tally: VaultTally) -> None:
    with _progress() as show:
        try:
            for page in vault.rotate(api, batch, _on_wait):
                tally.add(page)
                show(tally)
        except ServerAway as error:
            raise OperatorError(f"{str(error).rstrip('.')}; run it again to go on") from None


def _on_wait(why: str) -> None:
    typer.echo(why, err=True)


@contextmanager
def _progress() -> Iterator[OnTally]:
    """On stderr: a line that moves on a terminal, and a line for each page elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda tally: typer.echo(_counts(tally), err=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(_counts(VaultTally()), total=None)
        yield lambda tally: progress.update(task, description=_counts(tally))


def _report(tally: VaultTally, json: bool) -> None:
    if json:
        write_object(_to_object(tally, "complete", "rows", "rotated", "rows_by_key", "unreadable"))
        return
    typer.echo(f"{_counts(tally)}{'' if tally.complete else ' so far'}")
    _print_keys_and_unreadable(tally)


def _counts(tally: VaultTally) -> str:
    return f"{counted(tally.rows, 'row')}, {tally.rotated} of them re-encrypted"


def _print_keys_and_unreadable(tally: VaultTally) -> None:
    if tally.rows_by_key:
        print_table(("key", "rows"), sorted(tally.rows_by_key.items()))
    if tally.unreadable:
        typer.echo(f"{counted(len(tally.unreadable), 'token')} cannot be read")
        rows = [(one.table, one.row, one.column, one.key_id) for one in tally.unreadable]
        print_table(("table", "row", "column", "key"), rows)


def _to_object(tally: VaultTally, *keys: str) -> dict[str, Any]:
    fields = {
        "complete": tally.complete,
        "rows": tally.rows,
        "rotated": tally.rotated,
        "rows_by_key": dict(sorted(tally.rows_by_key.items())),
        "unreadable": [one.model_dump(mode="json") for one in tally.unreadable],
    }
    return {key: fields[key] for key in keys}
