"""Signing in, and access tokens that are refreshed once for all callers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils.compat as uuid_utils
from sqlalchemy.ext.asyncio import AsyncSession

from auth import queries, rules
from auth.queries import EncryptedTokens
from auth.strava import Grant, StravaOAuth
from auth.tables import UserRow
from auth.token_encryption import Keyring
from shared.contracts.auth_api import AccessToken, AuthErrorCode, SignedInUser
from shared.contracts.events import UserAuthorized
from shared.database.engine import Database
from shared.errors import Forbidden, NotFound, Unavailable
from shared.messaging.outbox import emit

REFRESH_LEASE = timedelta(seconds=30)


class ScopeMissing(Forbidden):
    """Without permission to see your activities nothing can count. Please connect again and leave it ticked."""

    code = AuthErrorCode.SCOPE_MISSING


@dataclass(frozen=True)
class AuthContext:
    """What the routes need, as `main` puts it together; the keys are those of the callers."""

    database: Database
    strava: StravaOAuth
    keyring: Keyring
    redirect_uri: str
    admin_athlete_ids: frozenset[int]
    web_key: str
    sync_key: str


async def sign_in(context: AuthContext, code: str, scope: str, consent_version: str) -> SignedInUser:
    """Exchange the code, store the tokens and emit `user.authorized`, all of it or nothing.

    Raises ScopeMissing, and what `StravaOAuth.exchange` raises.
    """
    scopes = rules.parse_scopes(scope)
    if not rules.may_read_activities(scopes):
        raise ScopeMissing
    grant = await context.strava.exchange(code)
    if grant.athlete is None:
        raise Unavailable("Strava did not say who you are. Please try again soon.")
    async with context.database.transaction() as session:
        return await _store_sign_in(context, session, grant, scopes, consent_version, now=datetime.now(UTC))


async def _store_sign_in(
    context: AuthContext,
    session: AsyncSession,
    grant: Grant,
    scopes: tuple[str, ...],
    consent_version: str,
    *,
    now: datetime,
) -> SignedInUser:
    assert grant.athlete is not None
    athlete = grant.athlete
    await queries.lock_athlete(session, athlete.id)
    known = await queries.find_user_by_athlete(session, athlete.id)
    user = known or UserRow(
        id=uuid_utils.uuid7(),
        athlete_id=athlete.id,
        display_name=rules.default_display_name(athlete.firstname, athlete.lastname),
        joined_at=now,
    )
    user.is_admin = athlete.id in context.admin_athlete_ids
    user.consent_version, user.consented_at = consent_version, now
    session.add(user)
    await session.flush()
    await queries.upsert_tokens(session, user.id, _encrypt(context.keyring, user.id, grant), scopes)
    signed_in = SignedInUser(
        user_id=user.id,
        athlete_id=athlete.id,
        display_name=user.display_name,
        is_admin=user.is_admin,
        first_time=known is None,
    )
    await emit(
        session,
        UserAuthorized(**signed_in.model_dump(), scopes=scopes, consent_version=consent_version, authorized_at=now),
    )
    return signed_in


async def get_access_token(context: AuthContext, user_id: UUID, *, force_refresh: bool) -> AccessToken:
    """A token with life left in it, refreshed when due; one refresh at a time for each athlete.

    Raises NotFound, Unavailable, and what `StravaOAuth.refresh` raises.
    """
    now = datetime.now(UTC)
    async with context.database.transaction() as session:
        encrypted = await queries.find_tokens(session, user_id)
        if encrypted is None:
            raise NotFound("This person has not connected Strava.")
        due = force_refresh or rules.needs_refresh(encrypted.expires_at, now)
        leased = due and await queries.lease_for_refresh(session, user_id, encrypted, now, now + REFRESH_LEASE)
    # Strava accepts the token that a refresh replaces until it expires.
    old_is_usable = rules.is_valid(encrypted.expires_at, now) and not force_refresh
    if leased:
        try:
            encrypted = await _refresh(context, user_id, encrypted)
        except Unavailable:
            if not old_is_usable:
                raise
    elif due and not old_is_usable:
        raise Unavailable("This token is being refreshed. Please ask again in a moment.")
    token = context.keyring.decrypt(encrypted.access_token, _associated_data(user_id, "access"))
    return AccessToken(access_token=token, expires_at=encrypted.expires_at)


async def _refresh(context: AuthContext, user_id: UUID, old: EncryptedTokens) -> EncryptedTokens:
    try:
        refresh_token = context.keyring.decrypt(old.refresh_token, _associated_data(user_id, "refresh"))
        grant = await context.strava.refresh(refresh_token)
    except Exception:
        async with context.database.transaction() as session:
            await queries.release_lease(session, user_id, old.refresh_token)
        raise
    fresh = _encrypt(context.keyring, user_id, grant)
    async with context.database.transaction() as session:
        await queries.update_refreshed_tokens(session, user_id, old.refresh_token, fresh)
    return fresh


def _encrypt(keyring: Keyring, user_id: UUID, grant: Grant) -> EncryptedTokens:
    return EncryptedTokens(
        keyring.encrypt(grant.access_token, _associated_data(user_id, "access")),
        keyring.encrypt(grant.refresh_token, _associated_data(user_id, "refresh")),
        grant.expires_at,
    )


def _associated_data(user_id: UUID, column: str) -> str:
    """The identity that a ciphertext is bound to, so that it cannot be moved to another row or column."""
    return f"tokens/{user_id}/{column}"
