"""Calls to another service: a contract's model, or one of `shared.errors`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import httpx
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.contracts.error_body import ErrorBody
from shared.errors import AppError, Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unavailable

READ_TIMEOUT = httpx.Timeout(4.0, connect=1.0)
MAX_CONNECTIONS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
_REFUSALS: Mapping[int, type[AppError]] = {403: Forbidden, 404: NotFound, 409: Conflict, 429: TooManyRequests}

log = structlog.stdlib.get_logger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Caller:
    """For whom web asks leaderboard: a user that is signed in, maybe an organiser, or a stranger."""

    user_id: UUID | None = None
    is_organiser: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What tells leaderboard so."""
        headers = {"Gruppetto-User": str(self.user_id)} if self.user_id else {}
        return {**headers, "Gruppetto-Organiser": "true"} if self.is_organiser else headers


STRANGER = Caller()


def make_client(base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """An HTTP client for one service, to be closed by the caller."""
    return httpx.AsyncClient(
        base_url=base_url, timeout=READ_TIMEOUT, limits=MAX_CONNECTIONS, transport=transport, follow_redirects=False
    )


class Api:
    """The HTTP API of one service, which knows web by its key.

    Every method raises Unavailable, Forbidden, NotFound, Conflict, Invalid, TooManyRequests.
    """

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def get(self, path: str, model: type[Answer], caller: Caller = STRANGER, **query: Any) -> Answer:
        """What is there; query parameters that are None are left out."""
        return await self.send("GET", path, model, caller, query=query)

    async def send(
        self,
        method: str,
        path: str,
        model: type[Answer],
        caller: Caller = STRANGER,
        *,
        body: BaseModel | None = None,
        query: Mapping[str, Any] | None = None,
        timeout: httpx.Timeout = READ_TIMEOUT,  # noqa: ASYNC109 -- httpx's own, with parts
    ) -> Answer:
        """The answer to a request."""
        response = await self._send(self._build(method, path, caller, body, query, timeout))
        try:
            wanted: Any = model
            answer: Answer = _adapter(wanted).validate_json(response.content)
            return answer
        except ValidationError as error:
            log.error("response breaks its contract", path=response.url.path, errors=error.error_count())
            raise Unavailable from None

    async def do(self, method: str, path: str, caller: Caller = STRANGER, *, body: BaseModel | None = None) -> None:
        """The same where the answer says nothing but that it is done."""
        await self._send(self._build(method, path, caller, body, None, READ_TIMEOUT))

    @asynccontextmanager
    async def stream(self, path: str, caller: Caller = STRANGER, **query: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        """A download in chunks, once it has begun well."""
        request = self._build("GET", path, caller, None, query, READ_TIMEOUT)
        response = await self._send(request, stream=True)
        try:
            yield response.aiter_bytes()
        finally:
            await response.aclose()

    def _build(  # noqa: PLR0917 - what a request has
        self,
        method: str,
        path: str,
        caller: Caller,
        body: BaseModel | None,
        query: Mapping[str, Any] | None,
        timeout: httpx.Timeout,
    ) -> httpx.Request:
        return self._http.build_request(
            method,
            path,
            params={name: _to_text(value) for name, value in (query or {}).items() if value is not None},
            content=body.model_dump_json() if body is not None else None,
            headers={**self._headers, **caller.headers, "Content-Type": "application/json"},
            timeout=timeout,
        )

    async def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=stream)
            if not response.is_success and stream:
                await response.aread()
        except httpx.HTTPError as error:
            log.warning("service away", host=request.url.host, path=request.url.path, error=type(error).__name__)
            raise Unavailable from error
        if not response.is_success:
            raise _refusal(response)
        return response


def _to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _refusal(response: httpx.Response) -> AppError:
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return _REFUSALS.get(response.status_code, Unavailable)()
    if response.status_code == 422:
        fields = {each.field.removeprefix("body."): each.message for each in body.fields}
        return Invalid(body.message, code=body.code, fields=fields)
    return _REFUSALS.get(response.status_code, Unavailable)(body.message, code=body.code)
