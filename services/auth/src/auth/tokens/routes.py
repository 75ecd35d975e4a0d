"""Access tokens, for sync alone."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from auth.dependencies import FOR_SYNC, at_most
from auth.tokens.refresher import TokenRefresher
from shared.contracts.auth_api import AccessToken
from shared.http.api import documented_errors


def get_refresher(request: Request) -> TokenRefresher:
    """The application's refresher."""
    refresher: TokenRefresher = request.app.state.refresher
    return refresher


RefresherDep = Annotated[TokenRefresher, Depends(get_refresher)]

router = APIRouter(tags=["sync"], dependencies=[FOR_SYNC, at_most(60_000, "tokens")])


@router.get("/users/{user_id}/access-token", responses=documented_errors(404, 409, 500, 502))
async def get_access_token(refresher: RefresherDep, user_id: UUID, fresh: bool = False) -> AccessToken:
    """A token that is valid now; `fresh` is for a caller whose last token was refused."""
    return await refresher.get_access_token(user_id, refused=fresh)
