"""Errors as pages: what happened, and what to do."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.database.engine import is_transient
from shared.errors import AppError
from web.http.dependencies import (
    PAGE_METHODS,
    SignInNeeded,
    Visitor,
    find_visitor,
    go_to,
    read_visitor,
    render_page,
)
from web.http.local_pages import find_page, find_shown_page, join_path
from web.http.security import add_security_headers

log = structlog.stdlib.get_logger(__name__)

_KINDS = {404: "not_found", 405: "not_found", 422: "not_found", 429: "too_often", 503: "unavailable"}
_KINDS_BY_CODE = {"members_only": "members_only", "organisers_only": "organisers_only"}


def add_error_pages(app: FastAPI) -> None:
    """Replace the JSON answers of `shared.http.api`: these are read by people."""

    @app.exception_handler(AppError)
    async def expected(request: Request, error: AppError) -> Response:
        kind = _KINDS_BY_CODE.get(error.code) or _KINDS.get(error.status, "internal")
        return _page(request, await find_visitor(request), kind, error.status)

    @app.exception_handler(SignInNeeded)
    async def sign_in_needed(request: Request, _error: SignInNeeded) -> Response:
        return _lead_to_sign_in(request)

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, error: HTTPException) -> Response:
        kind = _KINDS.get(error.status_code, "internal")
        return _page(request, await find_visitor(request), kind, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, _error: RequestValidationError) -> Response:
        # Only a hand-made address or form gets here.
        return _page(request, await find_visitor(request), "not_found", 404)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("request failed", error=type(error).__name__, path=request.scope["path"])
        away = is_transient(error)
        visitor = read_visitor(request)  # without the database, which may have failed
        return _page(request, visitor, "unavailable" if away else "internal", 503 if away else 500)


def _lead_to_sign_in(request: Request) -> Response:
    """To the page where that is done, and from there back to the page that was wanted, or to the one of the form."""
    is_page = request.method in PAGE_METHODS
    by_script = "hx-request" in request.headers
    wanted = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    page = find_page(wanted) if is_page and not by_script else find_shown_page(request.headers)
    response = go_to(join_path(page), "sign-in" if is_page else "not-saved")
    if not by_script:
        return response
    # A redirect would be followed by the script, which would put that page into a part of its own.
    return Response(headers={"HX-Redirect": response.headers["location"]})


def _page(request: Request, visitor: Visitor, kind: str, status: int) -> Response:
    response = render_page(request, visitor, "errors/error.html", {"kind": kind}, status)
    # The handler of `Exception` runs outside all middleware.
    add_security_headers(response.headers)
    return response
