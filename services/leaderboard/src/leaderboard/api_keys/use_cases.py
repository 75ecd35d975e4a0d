"""Making, revoking and recognising API keys."""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.api_keys import queries
from leaderboard.api_keys.rules import format_key, hash_secret, parse_key, window_start
from leaderboard.audit.queries import add_audit_entry
from leaderboard.dependencies import Actor, KeyHolder, Scope
from leaderboard.names import fold_name
from leaderboard.tables import ApiKeyRow
from shared.database.engine import Database
from shared.errors import Conflict, Forbidden, NotFound, TooManyRequests

SECRET_BYTES = 32


async def create_key(
    session: AsyncSession, actor: Actor, name: str, scopes: Collection[Scope], now: datetime
) -> tuple[ApiKeyRow, str]:
    """Make a key; returns it and, this once, its text. Raises Forbidden, Conflict."""
    beyond = sorted(scope.value for scope in set(scopes) - actor.scopes)
    if beyond:
        raise Forbidden(f"An API key gives only scopes that it has itself, which {', '.join(beyond)} is not.")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = await queries.insert_key(
        session,
        name=name,
        folded_name=fold_name(name),
        key_hash=hash_secret(secret),
        scopes={scope.value for scope in scopes},
        created_by=actor.name,
        now=now,
    )
    if row is None:
        raise Conflict("There is or was an API key of that name. Please choose another one.")
    await add_audit_entry(session, actor, "api_key.created", str(row.id), {"name": name, "scopes": row.scopes})
    return row, format_key(row.id, secret)


async def revoke_key(session: AsyncSession, actor: Actor, key_id: int, now: datetime) -> ApiKeyRow:
    """Make a key invalid, at once; one that is already stays as it is. Raises NotFound."""
    is_new = await queries.revoke_key(session, key_id, now)
    row = await queries.find_key(session, key_id)
    if row is None:
        raise NotFound("There is no such API key.")
    if is_new:
        await add_audit_entry(session, actor, "api_key.revoked", str(row.id), {"name": row.name})
    return row


async def authenticate(
    database: Database, requests_per_minute: int, authorization: str, now: datetime
) -> KeyHolder | None:
    """Who shows the key that is in this header; None when it has no valid one. Raises TooManyRequests.

    In a transaction of its own, so that a request is counted even if it fails.
    """
    presented = parse_key(authorization)
    if presented is None:
        return None
    async with database.transaction() as session:
        used = await queries.use_key(session, presented.id, presented.hash, window_start(now), now)
    if used is None:
        return None
    if used.requests > requests_per_minute:
        raise TooManyRequests(
            f"An API key may make {requests_per_minute} requests a minute. Please wait until the next one begins."
        )
    return KeyHolder(used.name, frozenset(scope for scope in Scope if scope.value in used.scopes))
