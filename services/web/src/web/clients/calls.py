"""Calls to another service: a contract's model, or one of `shared.errors`."""

from typing import TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from shared.contracts.error_body import ErrorBody
from shared.errors import AppError, Conflict, Forbidden, NotFound, TooManyRequests, Unavailable

READ_TIMEOUT = httpx.Timeout(4.0, connect=1.0)

log = structlog.stdlib.get_logger(__name__)

Model = TypeVar("Model", bound=BaseModel)


def make_client(base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """An HTTP client for one service, to be closed by the caller."""
    return httpx.AsyncClient(base_url=base_url, timeout=READ_TIMEOUT, transport=transport, follow_redirects=False)


async def send(http: httpx.AsyncClient, request: httpx.Request, model: type[Model]) -> Model:
    """The response as that model. Raises Unavailable, Forbidden, NotFound, Conflict, TooManyRequests."""
    try:
        response = await http.send(request)
    except httpx.HTTPError as error:
        log.warning("service away", host=request.url.host, path=request.url.path, error=type(error).__name__)
        raise Unavailable from error
    if not response.is_success:
        raise _refusal(response)
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        log.error("response breaks its contract", path=request.url.path, errors=error.error_count())
        raise Unavailable from None


def _refusal(response: httpx.Response) -> AppError:
    kinds: dict[int, type[AppError]] = {403: Forbidden, 404: NotFound, 409: Conflict, 429: TooManyRequests}
    kind = kinds.get(response.status_code, Unavailable)
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return kind()
    return kind(body.message, code=body.code)
