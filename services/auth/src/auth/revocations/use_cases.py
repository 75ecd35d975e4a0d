"""Ending permissions at Strava: stored with the erasure of the tokens, tried until Strava has done it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
import uuid_utils.compat as uuid_utils
from sqlalchemy.ext.asyncio import AsyncSession

from auth import metrics
from auth.dependencies import AuthContext
from auth.revocations import queries, rules
from auth.revocations.queries import Revocation
from auth.strava import TIMEOUT_S, AuthorizationRevoked, SignInExpired
from auth.token_encryption import Keyring, TokenDecryptionError, TokenPair, decrypt_pair, encrypt_pair
from shared.errors import AppError, Unavailable

LEASE = timedelta(seconds=3 * TIMEOUT_S)  # the older way takes two calls

log = structlog.stdlib.get_logger(__name__)


async def schedule_revocation(
    session: AsyncSession, keyring: Keyring, athlete_id: int, tokens: TokenPair, now: datetime
) -> None:
    """Have the permission ended that these tokens belong to."""
    revocation_id: UUID = uuid_utils.uuid7()
    encrypted = encrypt_pair(keyring, queries.TABLE, revocation_id, tokens)
    await queries.add_revocation(session, revocation_id, athlete_id, encrypted, now)


async def make_way_for_sign_in(session: AsyncSession, athlete_id: int, exchanged_at: datetime, now: datetime) -> None:
    """Cancel the athlete's revocations; the caller exchanged a code at `exchanged_at` and stores its tokens now.

    Strava ends all permissions of an athlete at once. Raises Unavailable while that is being done, SignInExpired
    when it was done after the exchange: the tokens are dead.
    """
    conflicts = await queries.cancel_revocations(session, athlete_id, now)
    if conflicts.is_running:
        raise Unavailable("Your earlier disconnection is still under way. Please try again in a moment.")
    if conflicts.last_ended_at is not None and conflicts.last_ended_at >= exchanged_at:
        raise SignInExpired


async def revoke_next(context: AuthContext) -> bool:
    """End one permission that is due; returns whether there was one."""
    now = datetime.now(UTC)
    async with context.database.transaction() as session:
        revocation = await queries.claim_revocation(session, now, now + LEASE)
    if revocation is None:
        return False
    ended = await _try_to_revoke(context, revocation)
    given_up = not ended and now - revocation.created_at > rules.GIVE_UP_AFTER
    if given_up:
        log.error("revocation given up", revocation=str(revocation.id))
    metrics.REVOCATIONS.labels("ended" if ended else "given_up" if given_up else "postponed").inc()
    now = datetime.now(UTC)
    async with context.database.transaction() as session:
        if ended or given_up:
            await queries.end_revocation(session, revocation.id, now)
        else:
            await queries.postpone_revocation(session, revocation.id, rules.retry_at(now, revocation.attempts))
    return True


async def _try_to_revoke(context: AuthContext, revocation: Revocation) -> bool:
    try:
        tokens = decrypt_pair(context.keyring, queries.TABLE, revocation.id, revocation.tokens)
        await _revoke(context, revocation.id, tokens)
    except TokenDecryptionError as error:
        metrics.UNREADABLE.labels(queries.TABLE).inc()
        log.error("token unreadable", cell=str(error.cell), key=error.key_id)
        return False
    except AppError as error:
        log.warning("revocation postponed", reason=error.code, attempts=revocation.attempts)
        return False
    return True


async def _revoke(context: AuthContext, revocation_id: UUID, tokens: TokenPair) -> None:
    if not context.uses_deauthorize:
        await context.strava.revoke(tokens.refresh)
        return
    try:
        try:
            await context.strava.deauthorize(tokens.access)
        except AuthorizationRevoked:  # or only expired: the refresh token tells
            grant = await context.strava.refresh(tokens.refresh)
            encrypted = encrypt_pair(context.keyring, queries.TABLE, revocation_id, grant.tokens)
            async with context.database.transaction() as session:  # first: the old refresh token may be dead now
                await queries.update_tokens(session, revocation_id, encrypted)
            await context.strava.deauthorize(grant.tokens.access)
    except AuthorizationRevoked:
        return


async def purge_revocations(context: AuthContext) -> None:
    """Delete what ended so long ago that no sign-in can meet it."""
    async with context.database.transaction() as session:
        await queries.purge_revocations(session, datetime.now(UTC) - rules.KEPT_AFTER_END)
