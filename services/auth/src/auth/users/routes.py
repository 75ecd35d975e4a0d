"""People, for web: names and leaving."""

from uuid import UUID

from fastapi import APIRouter
from limits import RateLimitItemPerMinute

from auth.dependencies import FOR_WEB, ContextDep, at_most, spend
from auth.users import use_cases
from shared.contracts.auth_api import Rename, User
from shared.http.api import documented_errors

CHANGES_PER_USER = RateLimitItemPerMinute(20)

router = APIRouter(prefix="/users/{user_id}", tags=["web"], dependencies=[FOR_WEB], responses=documented_errors(404))


@router.get("", dependencies=[at_most(6_000, "users")])
async def get_user(context: ContextDep, user_id: UUID) -> User:
    """What auth knows of somebody."""
    return await use_cases.get_user(context, user_id)


@router.patch("")
async def rename(context: ContextDep, user_id: UUID, request: Rename) -> User:
    """Give somebody another display name."""
    spend(context, CHANGES_PER_USER, "rename", str(user_id))
    return await use_cases.rename(context, user_id, request.display_name)


@router.delete("/authorization", status_code=204)
async def disconnect(context: ContextDep, user_id: UUID) -> None:
    """Disconnect Strava: the tokens are gone when this answers, the permission ends at Strava soon after."""
    spend(context, CHANGES_PER_USER, "disconnect", str(user_id))
    await use_cases.disconnect(context, user_id)


@router.delete("", status_code=204)
async def erase(context: ContextDep, user_id: UUID) -> None:
    """Delete everything about somebody, here and, through `user.erased`, everywhere else."""
    spend(context, CHANGES_PER_USER, "erase", str(user_id))
    await use_cases.erase(context, user_id)
