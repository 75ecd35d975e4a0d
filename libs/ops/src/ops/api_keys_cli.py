"""`gruppetto api-keys`: the keys with which programs use leaderboard's API."""

from typing import Annotated

import typer

from ops.cli_common import counted, format_time, leaderboard_api, print_table, write_array, write_object
from shared.contracts.organisers_api import ApiKeyInfo, ApiKeyList, CreatedApiKey, Scope

api_keys_app = typer.Typer(no_args_is_help=True, help="Keys with which programs use leaderboard's API.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@api_keys_app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for; no two keys ever have the same name.")],
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it may; give the option again for each scope.")],
    json: Json = False,
) -> None:
    """Make a key, and print it. It is not stored anywhere and cannot be shown again."""
    with leaderboard_api(ctx) as api:
        body = {"name": name, "scopes": sorted({one.value for one in scope})}
        created = api.fetch("POST", "/api-keys", CreatedApiKey, body=body)
    if json:
        write_object(created.model_dump(mode="json"))
        return
    typer.echo(created.key)
    typer.echo(f"key {created.info.id} may {', '.join(created.info.scopes)}; it is not shown again", err=True)


@api_keys_app.command("list")
def list_(ctx: typer.Context, *, json: Json = False) -> None:
    """List the keys, the latest first, without their secrets."""
    with leaderboard_api(ctx) as api:
        keys = api.fetch("GET", "/api-keys", ApiKeyList).keys
    if json:
        write_array([key.model_dump(mode="json") for key in keys])
        return
    typer.echo(counted(len(keys), "key"))
    if keys:
        print_table(("id", "name", "scopes", "created by", "created", "last used", "revoked"), map(_row, keys))


def _row(key: ApiKeyInfo) -> tuple[object, ...]:
    return (
        key.id,
        key.name,
        ", ".join(key.scopes),
        key.created_by,
        format_time(key.created_at),
        format_time(key.last_used_at),
        "" if key.revoked_at is None else format_time(key.revoked_at),
    )


@api_keys_app.command()
def revoke(
    ctx: typer.Context,
    key_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The key's id as listed, and as in the key.")],
    *,
    json: Json = False,
) -> None:
    """Make a key invalid, from the next request on."""
    with leaderboard_api(ctx) as api:
        revoked = api.fetch("DELETE", f"/api-keys/{key_id}", ApiKeyInfo)
    if json:
        write_object(revoked.model_dump(mode="json"))
        return
    typer.echo(f"key {revoked.id}, {revoked.name}, is revoked")
