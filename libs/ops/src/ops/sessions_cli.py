"""`gruppetto sessions`: who is signed in where, and ending that."""

import re
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from ops.cli_common import counted, print_table, web_api, write_array, write_object
from ops.errors import OperatorError
from shared.contracts.web_api import RevokedSessions, SessionList

sessions_app = typer.Typer(no_args_is_help=True, help="Sessions of web: one for each browser that is signed in.")

_SESSION_ID = re.compile(r"[0-9a-f]{1,64}")


def _is_session_id(text: str) -> str:
    if not _SESSION_ID.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no id of a session: hexadecimal digits, as listed")
    return text


UserId = Annotated[UUID, typer.Argument(help="The user's id, as events and `gruppetto admins list` show it.")]
SessionId = Annotated[str, typer.Argument(callback=_is_session_id, help="The session's id as listed.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@sessions_app.command("list")
def list_(ctx: typer.Context, user_id: UserId, *, json: Json = False) -> None:
    """List the sessions of a user, the latest first. Their ids open nothing."""
    with web_api(ctx) as web:
        sessions = web.fetch("GET", "/sessions", SessionList, {"user_id": str(user_id)}).sessions
    if json:
        write_array([session.model_dump(mode="json") for session in sessions])
        return
    typer.echo(counted(len(sessions), "session"))
    if sessions:
        rows = [(session.id, _moment(session.created_at), _moment(session.last_seen_at)) for session in sessions]
        print_table(("id", "since (UTC)", "last seen (UTC)"), rows)


@sessions_app.command()
def revoke(ctx: typer.Context, session_id: SessionId, *, json: Json = False) -> None:
    """End one session: that browser is signed out with its next request."""
    with web_api(ctx) as web:
        revoked = web.fetch("DELETE", f"/sessions/{session_id}", RevokedSessions)
        if not revoked.revoked:
            raise OperatorError(f"there is no session {session_id}")
    _print_revoked(revoked, json)


@sessions_app.command("revoke-all")
def revoke_all(ctx: typer.Context, user_id: UserId, *, json: Json = False) -> None:
    """End all sessions of a user; they may sign in again."""
    with web_api(ctx) as web:
        revoked = web.fetch("DELETE", "/sessions", RevokedSessions, {"user_id": str(user_id)})
    _print_revoked(revoked, json)


def _print_revoked(revoked: RevokedSessions, json: bool) -> None:
    if json:
        write_object(revoked.model_dump(mode="json"))
        return
    typer.echo(f"{counted(revoked.revoked, 'session')} ended")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
