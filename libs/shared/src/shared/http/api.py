"""HTTP edges: transactions, limits, errors as JSON, health."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from http import HTTPStatus
from typing import Annotated, Any

import prometheus_client
import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.types import Lifespan

from shared.contracts.error_body import ErrorBody, FieldProblem
from shared.database.engine import Database, is_transient
from shared.errors import AppError, Forbidden, Unavailable
from shared.http.request_limits import RequestLimits

log = structlog.stdlib.get_logger(__name__)

_FRAMEWORK_CODES = {404: "not_found", 405: "method_not_allowed"}  # of what the framework refuses by itself


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


# The scope makes the commit happen before the answer is sent: a failed commit must not answer 200.
Transaction = Annotated[AsyncSession, Depends(_transaction, scope="function")]


def require_api_key(get_expected: Callable[[Request], str]) -> Callable[..., Awaitable[None]]:
    """A dependency that admits only callers with the expected key in `Authorization: Bearer`. Raises Forbidden."""

    async def check(request: Request, authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization.encode(), f"Bearer {get_expected(request)}".encode()):
            raise Forbidden

    return check


def documented_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI document: those of every route, and `statuses`.

    Each has an ErrorBody, or a sentence when nothing was parsed yet, as with what is too large.
    """
    documented: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody} for status in (400, 403, 422, 429, 503, *statuses)
    }
    documented[400]["content"] = {"text/plain": {}}
    for status, what in ((413, "Too large a body"), (414, "Too long an address")):
        documented[status] = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": what}
    return documented


def create_api(
    title: str, *, cookies: Collection[str] = (), openapi: bool = False, lifespan: Lifespan[FastAPI] | None = None
) -> FastAPI:
    """An application with limits on requests and errors in JSON; `openapi` shows its description to every caller.

    `cookies` are those that it reads.
    """
    app = FastAPI(
        title=title,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if openapi else None,
        redirect_slashes=False,  # a redirect would name whatever host the request did
    )
    app.add_middleware(RequestLimits, cookies=cookies)
    add_error_handlers(app)
    return app


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routes of the routers to the application, in that order.

    `include_router` makes each of them a second time, during the first request that gets to it and 3 ms apiece, and
    counts the routes of every router it passes in every request.
    """
    for router in routers:
        app.router.routes.extend(router.routes)


def add_error_handlers(app: FastAPI) -> None:
    """Every error becomes an ErrorBody; what was not foreseen is logged and never shown."""

    @app.exception_handler(AppError)
    async def expected(_request: Request, error: AppError) -> JSONResponse:
        return _error(error.status, error.code, error.message)

    @app.exception_handler(HTTPException)
    async def framework(_request: Request, error: HTTPException) -> JSONResponse:
        code = _FRAMEWORK_CODES.get(error.status_code, "invalid")
        return _error(error.status_code, code, HTTPStatus(error.status_code).phrase + ".")

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = tuple(
            FieldProblem(
                field=".".join(str(part) for part in e["loc"]), message=e["msg"].removeprefix("Value error, ")
            )
            for e in error.errors()
        )
        return _error(422, "invalid", "; ".join(f"{each.field}: {each.message}" for each in fields), fields)

    @app.exception_handler(Exception)
    async def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        kind = Unavailable if is_transient(error) else AppError
        log.error("request failed", error=type(error).__name__)
        return _error(kind.status, kind.code, kind().message)


def _error(status: int, code: str, message: str, fields: tuple[FieldProblem, ...] = ()) -> JSONResponse:
    return JSONResponse(
        ErrorBody(code=code, message=message, fields=fields).model_dump(exclude_defaults=True), status
    )


def create_internal_api(alive: Callable[[], Awaitable[bool]], ready: Callable[[], Awaitable[bool]]) -> FastAPI:
    """What operators and their monitoring ask, on a port that faces no stranger.

    `/health/live`: restart the process when this fails. `/health/ready`: send it no requests while this fails.
    `/metrics`: for Prometheus.
    """
    app = create_api("Internal")

    @app.get("/health/live")
    async def live() -> JSONResponse:
        return _health(await alive())

    @app.get("/health/ready")
    async def readiness() -> JSONResponse:
        return _health(await ready())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    return app


def _health(good: bool) -> JSONResponse:
    return JSONResponse({"ok": good}, 200 if good else 503)
