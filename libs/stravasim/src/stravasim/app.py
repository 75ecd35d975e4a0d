"""The simulator as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader

from stravasim.clock import Clock, SystemClock
from stravasim.control import routes as control_routes
from stravasim.control.auto_upload import run_auto_upload
from stravasim.control.home_page import render_home_page
from stravasim.dataset.dataset import Dataset
from stravasim.http.data_routes import add_data_routes
from stravasim.http.fault_middleware import FaultMiddleware
from stravasim.http.oauth_routes import add_oauth_routes
from stravasim.http.openapi import build_openapi
from stravasim.http.request_log import RequestLogMiddleware
from stravasim.http.subscription_routes import add_subscription_routes
from stravasim.responses import error_response
from stravasim.simulator import Settings, create_simulator
from stravasim.strava.errors import PATH_NOT_FOUND, bad_request


def create_app(dataset: Dataset, clock: Clock | None = None, settings: Settings | None = None) -> FastAPI:
    """A simulated Strava with that dataset; its `Simulator` is `app.state.simulator`, for tests that inspect it."""
    simulator = create_simulator(dataset, clock or SystemClock(), settings or Settings())
    templates = Environment(loader=PackageLoader("stravasim"), autoescape=True)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        every_s = simulator.settings.auto_upload_every_s
        task = asyncio.create_task(run_auto_upload(simulator, every_s)) if every_s else None
        yield
        if task is not None:
            task.cancel()
        await simulator.webhooks.close()

    async def openapi(_: Request) -> Response:
        return JSONResponse(build_openapi(simulator.settings.application))

    async def home_page(_: Request) -> Response:
        return HTMLResponse(render_home_page(simulator, templates))

    app = FastAPI(
        title="stravasim control API",
        docs_url=None,
        redoc_url=None,
        openapi_url="/_sim/openapi.json",
        lifespan=lifespan,
    )
    app.state.simulator, app.state.templates = simulator, templates
    add_data_routes(app)
    add_subscription_routes(app)
    add_oauth_routes(app)
    app.add_route("/", home_page)
    app.add_route("/openapi.json", openapi)
    app.include_router(control_routes.router)
    app.add_exception_handler(RequestValidationError, _validation_failed)
    app.add_exception_handler(400, _bad_body)
    app.add_exception_handler(404, _path_not_found)
    app.add_exception_handler(405, _path_not_found)
    app.add_middleware(FaultMiddleware, simulator=simulator)
    app.add_middleware(RequestLogMiddleware, simulator=simulator)
    return app


async def _validation_failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Without the input, which may contain values such as NaN that JSON cannot represent.
    details = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return JSONResponse({"detail": details}, status_code=422)


async def _bad_body(_request: Request, _error: Exception) -> Response:
    return error_response(bad_request("Request", "body"))


async def _path_not_found(_request: Request, _error: Exception) -> Response:
    return error_response(PATH_NOT_FOUND)
