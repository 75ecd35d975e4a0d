"""The one path of sync that faces the internet: Strava's webhooks."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from shared.errors import Forbidden, NotFound
from sync.clients.subscriptions import Webhooks
from sync.dependencies import ContextDep
from sync.webhooks.use_cases import EventWriter, WebhookEvent

router = APIRouter()


def _require_address(secret: str, context: ContextDep) -> Webhooks:
    """Whoever does not know our address learns nothing. Raises NotFound."""
    webhooks = context.webhooks
    if webhooks is None or not secrets.compare_digest(secret.encode(), webhooks.secret.encode()):
        raise NotFound
    return webhooks


KnownAddress = Annotated[Webhooks, Depends(_require_address)]


@router.get("/strava/webhook/{secret}")
async def verify(
    webhooks: KnownAddress,
    mode: Annotated[str, Query(alias="hub.mode", max_length=50)] = "",
    token: Annotated[str, Query(alias="hub.verify_token", max_length=200)] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=500)] = "",
) -> JSONResponse:
    """Strava makes sure that it is we who subscribe."""
    if mode != "subscribe" or not secrets.compare_digest(token.encode(), webhooks.verify_token.encode()):
        raise Forbidden
    return JSONResponse({"hub.challenge": challenge})


@router.post("/strava/webhook/{secret}", dependencies=[Depends(_require_address)])
async def receive(event: WebhookEvent, request: Request) -> JSONResponse:
    """An event: stored and committed before the answer, which Strava waits 2 s for."""
    writer: EventWriter = request.app.state.event_writer
    receipt = await writer.store(event)
    if receipt == "other_subscription":
        raise Forbidden
    return JSONResponse({})
