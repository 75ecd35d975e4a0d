"""The internal API: web signs people in, sync asks for access tokens. Never faces the internet."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from auth import domain, queries
from auth.queries import EncryptedTokens
from auth.strava import Grant, StravaOAuth
from auth.tables import UserRow
from auth.token_encryption import Keyring
from shared.contracts.auth_api import AccessToken, AuthErrorCode, AuthorizeUrl, SignedInUser, SignInRequest
from shared.contracts.events import UserAuthorized
from shared.database.engine import Database
from shared.errors import Forbidden, NotFound, Unavailable
from shared.http.api import require_api_key
from shared.messaging.outbox import emit

REFRESH_LEASE = timedelta(seconds=30)


class ScopeMissing(Forbidden):
    """Without permission to see your activities nothing can count. Please connect again and leave it ticked."""

    code = AuthErrorCode.SCOPE_MISSING


@dataclass(frozen=True)
class Api:
    """What the routes need."""

    database: Database
    strava: StravaOAuth
    keyring: Keyring
    redirect_uri: str
    admin_athlete_ids: frozenset[int]

    def router(self, web_key: str, sync_key: str) -> APIRouter:
        """The routes, each open to one caller only."""
        router = APIRouter()
        for_web = [Depends(require_api_key(web_key))]
        router.get("/authorize-url", dependencies=for_web)(self.authorize_url)
        router.post("/sign-ins", dependencies=for_web)(self.sign_in)
        router.get("/users/{user_id}/access-token", dependencies=[Depends(require_api_key(sync_key))])(
            self.access_token
        )
        return router

    async def authorize_url(self, state: Annotated[str, Field(min_length=1, max_length=500)]) -> AuthorizeUrl:
        """Where web sends the browser."""
        return AuthorizeUrl(url=self.strava.authorize_url(self.redirect_uri, state))

    async def sign_in(self, request: SignInRequest) -> SignedInUser:
        """Exchange the code, keep the tokens, tell the others; all of it or nothing."""
        scopes = domain.parse_scopes(request.scope)
        if not domain.may_read_activities(scopes):
            raise ScopeMissing
        grant = await self.strava.exchange(request.code)
        if grant.athlete is None:
            raise Unavailable("Strava did not say who you are. Please try again soon.")
        async with self.database.transaction() as session:
            return await self._remember(session, request, grant, scopes, datetime.now(UTC))

    async def _remember(
        self, session: AsyncSession, request: SignInRequest, grant: Grant, scopes: tuple[str, ...], now: datetime
    ) -> SignedInUser:
        assert grant.athlete is not None
        athlete = grant.athlete
        await queries.lock_athlete(session, athlete.id)
        known = await queries.find_user_by_athlete(session, athlete.id)
        user = known or UserRow(
            id=uuid_utils.uuid7(),
            athlete_id=athlete.id,
            display_name=domain.default_display_name(athlete.firstname, athlete.lastname),
            joined_at=now,
        )
        user.is_admin = athlete.id in self.admin_athlete_ids
        user.consent_version, user.consented_at = request.consent_version, now
        session.add(user)
        await session.flush()
        await queries.upsert_tokens(session, user.id, self._encrypt(user.id, grant), scopes)
        signed_in = SignedInUser(
            user_id=user.id,
            athlete_id=athlete.id,
            display_name=user.display_name,
            is_admin=user.is_admin,
            first_time=known is None,
        )
        await emit(
            session,
            UserAuthorized(
                **signed_in.model_dump(), scopes=scopes, consent_version=request.consent_version, authorized_at=now
            ),
        )
        return signed_in

    async def access_token(self, user_id: UUID, fresh: bool = False) -> AccessToken:
        """A token with life left in it, refreshed when due; one refresh at a time for each athlete.

        `fresh` asks Strava anew in any case: for a caller whose last token was refused.
        """
        now = datetime.now(UTC)
        async with self.database.transaction() as session:
            encrypted = await queries.find_tokens(session, user_id)
            if encrypted is None:
                raise NotFound("This person has not connected Strava.")
            due = fresh or domain.needs_refresh(encrypted.expires_at, now)
            leased = due and await queries.lease_for_refresh(session, user_id, encrypted, now, now + REFRESH_LEASE)
        # Strava honours the token that a refresh replaces until it expires.
        old_will_do = domain.is_valid(encrypted.expires_at, now) and not fresh
        if leased:
            try:
                encrypted = await self._refresh(user_id, encrypted)
            except Unavailable:
                if not old_will_do:
                    raise
        elif due and not old_will_do:
            raise Unavailable("This token is being refreshed. Please ask again in a moment.")
        token = self.keyring.decrypt(encrypted.access_token, _row(user_id, "access"))
        return AccessToken(access_token=token, expires_at=encrypted.expires_at)

    async def _refresh(self, user_id: UUID, old: EncryptedTokens) -> EncryptedTokens:
        try:
            grant = await self.strava.refresh(self.keyring.decrypt(old.refresh_token, _row(user_id, "refresh")))
        except Exception:
            async with self.database.transaction() as session:
                await queries.release_lease(session, user_id, old.refresh_token)
            raise
        fresh = self._encrypt(user_id, grant)
        async with self.database.transaction() as session:
            await queries.update_refreshed_tokens(session, user_id, old.refresh_token, fresh)
        return fresh

    def _encrypt(self, user_id: UUID, grant: Grant) -> EncryptedTokens:
        return EncryptedTokens(
            self.keyring.encrypt(grant.access_token, _row(user_id, "access")),
            self.keyring.encrypt(grant.refresh_token, _row(user_id, "refresh")),
            grant.expires_at,
        )


def _row(user_id: UUID, column: str) -> str:
    """The identity that a ciphertext is bound to, so that it cannot be moved to another row or column."""
    return f"tokens/{user_id}/{column}"
