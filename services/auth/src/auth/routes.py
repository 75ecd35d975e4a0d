"""The internal API: web signs people in, sync asks for access tokens. Never faces the internet."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from auth import use_cases
from auth.use_cases import AuthContext
from shared.contracts.auth_api import AccessToken, AuthorizeUrl, SignedInUser, SignInRequest
from shared.http.api import require_api_key


def _context(request: Request) -> AuthContext:
    context: AuthContext = request.app.state.auth
    return context


ContextDep = Annotated[AuthContext, Depends(_context)]
FOR_WEB = [Depends(require_api_key(lambda request: _context(request).web_key))]
FOR_SYNC = [Depends(require_api_key(lambda request: _context(request).sync_key))]

router = APIRouter()


@router.get("/authorize-url", dependencies=FOR_WEB)
async def authorize_url(
    context: ContextDep, state: Annotated[str, Field(min_length=1, max_length=500)]
) -> AuthorizeUrl:
    """Where web sends the browser."""
    return AuthorizeUrl(url=context.strava.authorize_url(context.redirect_uri, state))


@router.post("/sign-ins", dependencies=FOR_WEB)
async def sign_in(context: ContextDep, request: SignInRequest) -> SignedInUser:
    """Exchange the code that the browser brought back."""
    return await use_cases.sign_in(context, request.code, request.scope, request.consent_version)


@router.get("/users/{user_id}/access-token", dependencies=FOR_SYNC)
async def access_token(context: ContextDep, user_id: UUID, fresh: bool = False) -> AccessToken:
    """A token that is valid now; `fresh` is for a caller whose last token was refused."""
    return await use_cases.get_access_token(context, user_id, force_refresh=fresh)
