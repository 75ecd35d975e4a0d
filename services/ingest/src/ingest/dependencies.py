"""What ingest's routes depend on."""

from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Annotated

from fastapi import Depends, Request

from shared.database.engine import Database
from shared.http.api import require_api_key


@dataclass(frozen=True)
class ApiContext:
    """What `main` puts together; `default_time_zone` is that of activities that do not name theirs."""

    database: Database
    default_time_zone: tzinfo
    operator_key: str = field(repr=False)


def get_context(request: Request) -> ApiContext:
    """The context of the application."""
    context: ApiContext = request.app.state.context
    return context


ContextDep = Annotated[ApiContext, Depends(get_context)]
FOR_OPERATORS = Depends(require_api_key(lambda request: get_context(request).operator_key))
