"""HTTP edges: transactions, errors as JSON, health."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Sessions, is_infrastructure
from shared.errors import AppError, Forbidden, Unavailable

log = structlog.stdlib.get_logger(__name__)


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    sessions: Sessions = request.app.state.sessions
    async with sessions.transaction() as session:
        yield session


# The scope makes the commit happen before the answer is sent: a failed commit must not answer 200.
Transaction = Annotated[AsyncSession, Depends(_transaction, scope="function")]


def require_key(expected: str) -> Callable[..., Awaitable[None]]:
    """A dependency that admits only callers with this key in `Authorization: Bearer`."""

    async def check(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization.encode(), f"Bearer {expected}".encode()):
            raise Forbidden

    return check


def add_error_handlers(app: FastAPI) -> None:
    """Every error becomes `{"code", "message"}` in JSON; what was not foreseen is logged and never shown."""

    @app.exception_handler(AppError)
    async def expected(_request: Request, error: AppError) -> JSONResponse:
        return JSONResponse({"code": error.code, "message": error.message}, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        return JSONResponse({"code": "invalid", "message": fields}, 422)

    @app.exception_handler(Exception)
    async def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        kind = Unavailable if is_infrastructure(error) else AppError
        log.error("request failed", error=type(error).__name__)
        return JSONResponse({"code": kind.code, "message": kind().message}, kind.status)


def add_health(app: FastAPI, alive: Callable[[], Awaitable[bool]], ready: Callable[[], Awaitable[bool]]) -> None:
    """`/health/live`: restart me if this fails. `/health/ready`: send me no requests while this fails."""

    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        return _health(await alive())

    @app.get("/health/ready", include_in_schema=False)
    async def readiness() -> JSONResponse:
        return _health(await ready())


def _health(good: bool) -> JSONResponse:
    return JSONResponse({"ok": good}, 200 if good else 503)
