"""The way to Strava and back: a single-use state bound to the browser, then tokens for the code."""

import hashlib
import secrets
from datetime import UTC, datetime

import structlog
import uuid_utils.compat as uuid_utils
from sqlalchemy.ext.asyncio import AsyncSession

from auth import metrics
from auth.admins.use_cases import is_admin
from auth.authorizations import queries
from auth.authorizations.rules import AUTHORIZATION_LIMIT, Known, describe_change
from auth.dependencies import AuthContext
from auth.revocations.use_cases import make_way_for_sign_in
from auth.rules import NEEDED_SCOPE, missing_scopes, parse_scopes
from auth.strava import Grant, SignInExpired
from auth.tables import UserRow
from auth.token_encryption import encrypt_pair
from auth.tokens.queries import TABLE, StoredTokens, upsert_tokens
from auth.users.queries import find_user_by_athlete, lock_athlete
from auth.users.rules import default_display_name
from shared.contracts.auth_api import AuthErrorCode, AuthorizationRequest, AuthorizationResponse, SignedInUser
from shared.contracts.events import UserAuthorized
from shared.errors import AppError, Forbidden, Unavailable
from shared.messaging.outbox import emit

log = structlog.stdlib.get_logger(__name__)


class AccessDenied(Forbidden):
    """You did not give permission at Strava. Nothing was stored."""

    code = AuthErrorCode.ACCESS_DENIED


class ScopeMissing(Forbidden):
    """Without permission to see your activities nothing can count. Please connect again and leave it ticked."""

    code = AuthErrorCode.SCOPE_MISSING


async def begin(context: AuthContext, request: AuthorizationRequest) -> str:
    """The address of Strava's page, with a state that only this browser can bring back, once, for a while."""
    state = secrets.token_urlsafe(32)
    async with context.database.transaction() as session:
        begun = queries.Begun(request.consent_version, request.return_to)
        await queries.add_authorization(session, _state_hash(state, request.browser), begun, datetime.now(UTC))
    return context.strava.authorize_url(context.redirect_uri, state, force_prompt=request.force_prompt)


async def complete(context: AuthContext, response: AuthorizationResponse) -> SignedInUser:
    """Exchange the code, store the tokens and emit `user.authorized`, all of it or nothing.

    Raises SignInExpired, AccessDenied, ScopeMissing, CapacityReached, Misconfigured or Unavailable.
    """
    try:
        signed_in = await _complete(context, response)
    except AppError as refusal:
        metrics.SIGN_INS.labels(refusal.code).inc()
        raise
    metrics.SIGN_INS.labels("signed_in").inc()
    return signed_in


async def _complete(context: AuthContext, response: AuthorizationResponse) -> SignedInUser:
    begun_at = datetime.now(UTC)
    async with context.database.transaction() as session:
        begun = await queries.consume_authorization(
            session, _state_hash(response.state, response.browser), begun_at - AUTHORIZATION_LIMIT
        )
    if begun is None:
        raise SignInExpired
    if response.error:
        raise AccessDenied
    scopes = parse_scopes(response.scope)
    if NEEDED_SCOPE not in scopes:
        raise ScopeMissing
    if not response.code:
        raise SignInExpired
    grant = await context.strava.exchange(response.code)
    async with context.database.transaction() as session:
        return await _store(context, session, grant, scopes, begun, begun_at=begun_at)


async def _store(
    context: AuthContext,
    session: AsyncSession,
    grant: Grant,
    scopes: tuple[str, ...],
    begun: queries.Begun,
    *,
    begun_at: datetime,
) -> SignedInUser:
    athlete, now = grant.athlete, datetime.now(UTC)
    if athlete is None:
        raise Unavailable("Strava did not say who you are. Please try again soon.")
    await lock_athlete(session, athlete.id)
    await make_way_for_sign_in(session, athlete.id, begun_at, now)
    user = await find_user_by_athlete(session, athlete.id)
    known = None if user is None else Known(user.status == "authorized", tuple(user.scopes))
    change = describe_change(known, scopes)
    user = user or UserRow(
        id=uuid_utils.uuid7(),
        athlete_id=athlete.id,
        display_name=default_display_name(athlete.firstname, athlete.lastname),
        joined_at=now,
    )
    user.status, user.scopes, user.authorized_at = "authorized", list(scopes), now
    user.is_admin = await is_admin(context, session, athlete.id)
    user.consent_version, user.consented_at = begun.consent_version, now
    session.add(user)
    await session.flush()
    await upsert_tokens(session, _encrypt(context, user, grant, now))
    await emit(
        session,
        UserAuthorized(
            user_id=user.id,
            athlete_id=athlete.id,
            display_name=user.display_name,
            scopes=scopes,
            is_admin=user.is_admin,
            consent_version=begun.consent_version,
            authorized_at=now,
            first_time=change.first_time,
            scopes_gained=change.scopes_gained,
            access_regained=change.access_regained,
        ),
    )
    return SignedInUser(
        user_id=user.id,
        athlete_id=athlete.id,
        display_name=user.display_name,
        is_admin=user.is_admin,
        first_time=change.first_time,
        missing_scopes=missing_scopes(scopes),
        return_to=begun.return_to,
    )


def _encrypt(context: AuthContext, user: UserRow, grant: Grant, now: datetime) -> StoredTokens:
    tokens = encrypt_pair(context.keyring, TABLE, user.id, grant.tokens)
    return StoredTokens(user.id, user.athlete_id, uuid_utils.uuid7(), tokens, grant.expires_at, now)


async def purge_authorizations(context: AuthContext) -> None:
    """Delete the authorizations that never came back."""
    async with context.database.transaction() as session:
        await queries.purge_authorizations(session, datetime.now(UTC) - AUTHORIZATION_LIMIT)


def _state_hash(state: str, browser: str) -> bytes:
    """Identifies one authorization of one browser by both halves together; each has 256 random bits."""
    return hashlib.sha256(f"{state} {browser}".encode()).digest()
