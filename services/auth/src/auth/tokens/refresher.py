"""Access tokens that are refreshed once for all who ask, in this process and in others."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import stamina
import structlog
import uuid_utils.compat as uuid_utils

from auth import metrics
from auth.dependencies import AuthContext
from auth.revocations.use_cases import schedule_revocation
from auth.strava import AuthorizationRevoked, Grant, Misconfigured
from auth.token_encryption import Cell, EncryptedPair, TokenDecryptionError, encrypt_pair
from auth.tokens import queries
from auth.tokens.queries import StoredTokens
from auth.tokens.rules import Decision, decide
from shared.contracts.auth_api import AccessToken, AuthErrorCode
from shared.contracts.events import UserReauthorizationNeeded
from shared.database.engine import is_transient
from shared.errors import AppError, NotFound, Unavailable
from shared.messaging.outbox import emit

#: How long an athlete's tokens stay locked when the process that refreshes them dies; longer than a call to Strava.
LEASE = timedelta(seconds=30)
POLL_S = 0.1  # between looks at what another process refreshes
WAIT_S = 25.0  # for a token without which nothing can be done
SHORT_WAIT_S = 5.0  # for one that is only about to expire
#: For the database to come back and take the tokens that Strava has just given: nobody has them otherwise.
SAVE_TIMEOUT_S = 600.0

log = structlog.stdlib.get_logger(__name__)


class TokenUnreadable(AppError):
    """The stored token of this person cannot be decrypted. The operator should run `gruppetto vault check`."""

    code = AuthErrorCode.TOKEN_UNREADABLE


class NotConnected(NotFound):
    """This person has not connected Strava."""


class TokenRefresher:
    """Gives out access tokens; at most one refresh of an athlete runs at any time, in all processes together."""

    def __init__(self, context: AuthContext) -> None:
        self._context = context
        self._database = context.database
        self._running: dict[UUID, asyncio.Task[StoredTokens]] = {}

    async def get_access_token(self, user_id: UUID, *, refused: bool = False) -> AccessToken:
        """A token with life left in it, refreshed when due; `refused` when Strava did not accept the last one.

        Raises NotConnected, AuthorizationRevoked, TokenUnreadable, Misconfigured or Unavailable.
        """
        stored = await self._find(user_id)
        decision = decide(stored.expires_at, stored.refreshed_at, datetime.now(UTC), refused=refused)
        if decision is Decision.REFRESH:
            stored = await self._refresh(stored, WAIT_S)
        elif decision is Decision.REFRESH_IF_POSSIBLE:
            try:
                stored = await self._refresh(stored, SHORT_WAIT_S)
            except (Unavailable, Misconfigured) as error:
                log.warning("token not refreshed yet", reason=error.code)
        return AccessToken(
            access_token=self._decrypt(user_id, "access", stored.tokens.access_token), expires_at=stored.expires_at
        )

    async def is_authorized(self, user_id: UUID) -> bool:
        """Ask Strava whether it still accepts the permission; when not, that is stored.

        Raises NotConnected, TokenUnreadable, Misconfigured or Unavailable.
        """
        try:
            await self._refresh(await self._find(user_id), WAIT_S)
        except AuthorizationRevoked:
            return False
        return True

    async def close(self) -> None:
        """Wait for the refreshes that are running: what Strava gives them, nobody else has."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _find(self, user_id: UUID) -> StoredTokens:
        async with self._database.transaction() as session:
            stored = await queries.find_tokens(session, user_id)
            if stored is not None:
                return stored
            status = await queries.find_status(session, user_id)
        raise AuthorizationRevoked if status == "reauthorization_needed" else NotConnected

    async def _refresh(self, seen: StoredTokens, wait_s: float) -> StoredTokens:
        """The tokens after a refresh, whoever does it. Raises Unavailable when that takes too long."""
        task = self._running.get(seen.user_id)
        if task is None:
            task = self._running[seen.user_id] = asyncio.create_task(self._refresh_alone(seen))
            task.add_done_callback(lambda done: self._forget(seen.user_id, done))
        try:
            async with asyncio.timeout(wait_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise Unavailable("This token is being refreshed. Please ask again in a moment.") from None

    def _forget(self, user_id: UUID, done: "asyncio.Task[StoredTokens]") -> None:
        del self._running[user_id]
        if not done.cancelled():
            done.exception()  # retrieved, because those who waited may have left

    async def _refresh_alone(self, seen: StoredTokens) -> StoredTokens:
        """Refresh under the lease, or wait for the process that holds it."""
        while True:
            now = datetime.now(UTC)
            async with self._database.transaction() as session:
                leased = await queries.lease_for_refresh(session, seen, now, now + LEASE)
            if leased is not None:
                return await self._refresh_leased(seen, leased)
            current = await self._find(seen.user_id)
            if current.grant_id != seen.grant_id:
                return current
            await asyncio.sleep(POLL_S)

    async def _refresh_leased(self, seen: StoredTokens, tokens: EncryptedPair) -> StoredTokens:
        try:
            grant = await self._context.strava.refresh(self._decrypt(seen.user_id, "refresh", tokens.refresh_token))
        except AuthorizationRevoked:
            metrics.REFRESHES.labels("refused").inc()
            if not await self._mark_lost(seen):
                return await self._find(seen.user_id)
            raise
        except AppError as error:
            metrics.REFRESHES.labels(error.code).inc()
            async with self._database.transaction() as session:
                await queries.release_lease(session, seen)
            raise
        metrics.REFRESHES.labels("refreshed").inc()
        # A database that is away just now must not cost the athlete their permission.
        async for attempt in stamina.retry_context(
            on=is_transient, attempts=None, timeout=SAVE_TIMEOUT_S, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                return await self._save(seen, grant)
        raise AssertionError("the last attempt returns or raises")

    async def _mark_lost(self, seen: StoredTokens) -> bool:
        async with self._database.transaction() as session:
            lost = await queries.mark_lost(session, seen)
            if lost:
                await emit(
                    session,
                    UserReauthorizationNeeded(
                        user_id=seen.user_id,
                        athlete_id=seen.athlete_id,
                        reason="refresh_refused",
                        lost_at=datetime.now(UTC),
                    ),
                )
        return lost

    async def _save(self, seen: StoredTokens, grant: Grant) -> StoredTokens:
        now = datetime.now(UTC)
        fresh = StoredTokens(
            seen.user_id,
            seen.athlete_id,
            uuid_utils.uuid7(),
            encrypt_pair(self._context.keyring, queries.TABLE, seen.user_id, grant.tokens),
            grant.expires_at,
            now,
        )
        async with self._database.transaction() as session:
            if await queries.replace_tokens(session, seen.grant_id, fresh):
                return fresh
            if not await queries.has_tokens(session, seen.user_id):
                # They disconnected meanwhile, and what was to be revoked for that is replaced by these.
                await schedule_revocation(session, self._context.keyring, seen.athlete_id, grant.tokens, now)
        return await self._find(seen.user_id)

    def _decrypt(self, user_id: UUID, column: str, ciphertext: str) -> str:
        try:
            return self._context.keyring.decrypt(ciphertext, Cell(queries.TABLE, user_id, column))
        except TokenDecryptionError as error:
            metrics.UNREADABLE.labels(queries.TABLE).inc()
            log.error("token unreadable", cell=str(error.cell), key=error.key_id)
            raise TokenUnreadable from error
