"""What becomes of people: their names, their leaving, and the end of what auth knows of them."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from auth import metrics
from auth.dependencies import AuthContext
from auth.revocations.use_cases import schedule_revocation
from auth.tables import UserRow
from auth.token_encryption import Keyring, TokenDecryptionError, decrypt_pair
from auth.tokens.queries import TABLE, delete_tokens
from auth.tokens.refresher import NotConnected, TokenRefresher
from auth.users import queries, rules
from shared.contracts.auth_api import AuthErrorCode, User
from shared.contracts.events import UserDeauthorized, UserErased, UserRenamed
from shared.errors import AppError, NotFound
from shared.messaging.outbox import emit

CHECK_LEASE = timedelta(minutes=2)  # longer than a refresh

log = structlog.stdlib.get_logger(__name__)


class UnknownUser(NotFound):
    """There is no such person."""


class InvalidName(AppError):
    """A display name has 1 to 80 visible characters."""

    status = 422
    code = AuthErrorCode.INVALID


async def get_user(context: AuthContext, user_id: UUID) -> User:
    """What auth knows of somebody. Raises UnknownUser."""
    async with context.database.transaction() as session:
        user = await queries.find_user(session, user_id)
    if user is None:
        raise UnknownUser
    return _to_user(user)


async def rename(context: AuthContext, user_id: UUID, display_name: str) -> User:
    """Give somebody another display name. Raises UnknownUser, InvalidName."""
    name = rules.clean_display_name(display_name)
    if name is None:
        raise InvalidName
    async with context.database.transaction() as session:
        user = await _get_locked(session, user_id)
        if user.display_name != name:
            user.display_name = name
            await emit(session, UserRenamed(user_id=user_id, display_name=name, renamed_at=datetime.now(UTC)))
    return _to_user(user)


async def disconnect(context: AuthContext, user_id: UUID) -> None:
    """Forget the tokens at once, and have the permission ended at Strava. Raises UnknownUser."""
    now = datetime.now(UTC)
    async with context.database.transaction() as session:
        user = await _get_locked(session, user_id)
        if user.status == "disconnected":
            return
        await _remove_tokens(context.keyring, session, user, now)
        user.status = "disconnected"
        await emit(
            session,
            UserDeauthorized(user_id=user_id, athlete_id=user.athlete_id, reason="disconnected", deauthorized_at=now),
        )
    context.revocation_due.set()


async def erase(context: AuthContext, user_id: UUID) -> None:
    """Forget somebody, have the others forget them, and have the permission ended at Strava. Raises UnknownUser."""
    async with context.database.transaction() as session:
        await _erase(context.keyring, session, await _get_locked(session, user_id), "requested")
    context.revocation_due.set()


async def erase_expired(keyring: Keyring, session: AsyncSession, user_id: UUID, authorized_at: datetime) -> None:
    """Erase somebody who takes part in nothing any more, unless they have signed in after that authorization."""
    user = await queries.find_locked_user(session, user_id)
    if user is not None and user.authorized_at <= authorized_at:
        await _erase(keyring, session, user, "expired")


async def schedule_deauthorization_check(session: AsyncSession, athlete_id: int, event_time: datetime) -> None:
    """Have Strava asked whether what it reported is so; a report about an earlier permission is ignored."""
    user = await queries.find_user_by_athlete(session, athlete_id)
    # Who disconnected here is not erased because Strava confirms it.
    if user is not None and user.status != "disconnected" and rules.is_current_report(event_time, user.authorized_at):
        await queries.add_deauthorization_check(session, user.id, datetime.now(UTC))


async def check_next_deauthorization(context: AuthContext, refresher: TokenRefresher) -> bool:
    """Ask Strava about one report that is due; returns whether there was one.

    Who did end the permission is erased. A report that Strava does not stand by changes nothing.
    """
    now = datetime.now(UTC)
    async with context.database.transaction() as session:
        check = await queries.claim_deauthorization_check(session, now, now + CHECK_LEASE)
    if check is None:
        return False
    try:
        is_authorized = await refresher.is_authorized(check.user_id)
    except NotConnected:  # they have left here in the meantime
        is_authorized = True
    except AppError as error:
        log.warning("deauthorization not checked yet", reason=error.code, attempts=check.attempts)
        async with context.database.transaction() as session:
            until = rules.next_check_at(datetime.now(UTC), check.attempts)
            await queries.postpone_deauthorization_check(session, check.user_id, until)
        return True
    log.info("deauthorization checked", confirmed=not is_authorized)
    async with context.database.transaction() as session:
        user = await queries.find_locked_user(session, check.user_id)
        if user is not None and user.status == "reauthorization_needed":
            await _erase(context.keyring, session, user, "revoked_at_strava")
        await queries.finish_deauthorization_check(session, check)
    return True


async def _erase(
    keyring: Keyring,
    session: AsyncSession,
    user: UserRow,
    reason: Literal["requested", "revoked_at_strava", "expired"],
) -> None:
    now = datetime.now(UTC)
    await _remove_tokens(keyring, session, user, now)
    await queries.delete_user(session, user)
    await emit(session, UserErased(user_id=user.id, athlete_id=user.athlete_id, reason=reason, erased_at=now))


async def _remove_tokens(keyring: Keyring, session: AsyncSession, user: UserRow, now: datetime) -> None:
    encrypted = await delete_tokens(session, user.id)
    if encrypted is None:
        return
    try:
        tokens = decrypt_pair(keyring, TABLE, user.id, encrypted)
    except TokenDecryptionError as error:  # they may leave all the same; at Strava only they can end it
        metrics.UNREADABLE.labels(TABLE).inc()
        log.error("token unreadable, permission not ended at Strava", cell=str(error.cell), key=error.key_id)
    else:
        await schedule_revocation(session, keyring, user.athlete_id, tokens, now)


async def _get_locked(session: AsyncSession, user_id: UUID) -> UserRow:
    user = await queries.find_locked_user(session, user_id)
    if user is None:
        raise UnknownUser
    return user


def _to_user(user: UserRow) -> User:
    return User(
        user_id=user.id,
        athlete_id=user.athlete_id,
        display_name=user.display_name,
        status=user.status,
        scopes=tuple(user.scopes),
        is_admin=user.is_admin,
        joined_at=user.joined_at,
        authorized_at=user.authorized_at,
        consent_version=user.consent_version,
        consented_at=user.consented_at,
    )
