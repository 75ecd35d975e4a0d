"""The way to Strava and back, for web."""

from fastapi import APIRouter
from limits import RateLimitItemPerMinute

from auth.authorizations import use_cases
from auth.dependencies import FOR_WEB, ContextDep, at_most, spend
from shared.contracts.auth_api import (
    AuthorizationRequest,
    AuthorizationResponse,
    AuthorizeOrigin,
    AuthorizeUrl,
    SignedInUser,
)
from shared.http.api import documented_errors

PER_BROWSER = RateLimitItemPerMinute(30)

router = APIRouter(tags=["web"], dependencies=[FOR_WEB], responses=documented_errors())


@router.get("/authorizations/origin")
async def get_origin(context: ContextDep) -> AuthorizeOrigin:
    """Scheme and host of the page to which a browser will be sent."""
    return AuthorizeOrigin(origin=context.strava.authorize_origin())


@router.post("/authorizations", dependencies=[at_most(12_000, "authorizations")])
async def begin(context: ContextDep, request: AuthorizationRequest) -> AuthorizeUrl:
    """Where to send the browser; what it brings back is good once, for a quarter hour, from this browser."""
    spend(context, PER_BROWSER, "authorizations", request.browser)
    return AuthorizeUrl(url=await use_cases.begin(context, request))


@router.post("/sign-ins", responses=documented_errors(409, 502), dependencies=[at_most(12_000, "sign-ins")])
async def sign_in(context: ContextDep, response: AuthorizationResponse) -> SignedInUser:
    """Exchange the code that the browser brought back."""
    return await use_cases.complete(context, response)
