"""What the routes of the process `api` depend on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request

from shared.database.engine import Database
from shared.http.api import require_api_key
from sync.clients.subscriptions import Webhooks
from sync.clock import Clock, utc_now


@dataclass(frozen=True)
class ApiContext:
    """What `main` puts together; `webhooks` None while they are off."""

    database: Database
    webhooks: Webhooks | None
    operator_key: str = field(repr=False)
    clock: Clock = utc_now
    freshness: timedelta = timedelta(minutes=10)  # within which a change is known that Strava tells of


def get_context(request: Request) -> ApiContext:
    """The context of the application."""
    context: ApiContext = request.app.state.context
    return context


def _now(context: Annotated[ApiContext, Depends(get_context)]) -> datetime:
    return context.clock()


ContextDep = Annotated[ApiContext, Depends(get_context)]
Now = Annotated[datetime, Depends(_now)]
FOR_OPERATORS = Depends(require_api_key(lambda request: get_context(request).operator_key))
