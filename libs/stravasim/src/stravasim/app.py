"""The simulator as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader

from stravasim.accidents import Accidents
from stravasim.clock import Clock, SystemClock
from stravasim.club import Club
from stravasim.data_routes import DataRoutes, refusal
from stravasim.faults import UNKNOWN_PATH, bad_request
from stravasim.journal import Journal
from stravasim.lively import keep_lively
from stravasim.oauth_routes import OAuthPages
from stravasim.openapi import document
from stravasim.sim_routes import calls_of, lines, sim_router
from stravasim.simulator import Settings, Simulator, new_simulator
from stravasim.subscription_routes import SubscriptionRoutes

_SHOWN = 100  # athletes on the plain page
_LATEST_SHOWN = 8


def create_app(club: Club, clock: Clock | None = None, settings: Settings | None = None) -> FastAPI:
    """A simulator of that club. Its `Simulator` is `app.state.simulator`, for tests that look inside."""
    simulator = new_simulator(club, clock or SystemClock(), settings or Settings())
    templates = Environment(loader=PackageLoader("stravasim"), autoescape=True)
    home = templates.get_template("home.html")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        every = simulator.settings.lively
        task = asyncio.create_task(keep_lively(simulator, every)) if every else None
        yield
        if task is not None:
            task.cancel()
        await simulator.sender.close()

    async def control_openapi(_: Request) -> Response:
        return JSONResponse(app.openapi())

    async def openapi(_: Request) -> Response:
        return JSONResponse(document(simulator.settings.application))

    async def front_page(_: Request) -> Response:
        return HTMLResponse(_home(simulator, home.render))

    app = FastAPI(title="stravasim, control side", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.simulator = simulator
    DataRoutes(simulator).add_to(app)
    SubscriptionRoutes(simulator).add_to(app)
    OAuthPages(simulator, templates).add_to(app)
    app.add_route("/", front_page)
    app.add_route("/openapi.json", openapi)
    app.add_route("/_sim/openapi.json", control_openapi)
    app.include_router(sim_router(simulator))
    app.add_exception_handler(RequestValidationError, _not_as_described)
    app.add_exception_handler(400, _unreadable)
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _unknown_path)
    app.add_middleware(Accidents, simulator=simulator)
    app.add_middleware(Journal, simulator=simulator)
    return app


def _home(simulator: Simulator, render: Callable[..., str]) -> str:
    calls, allowed, settings = calls_of(simulator), simulator.settings.limits, simulator.settings
    deliveries = [delivery.outcome for delivery in simulator.sender.deliveries]
    return render(
        total=len(simulator.club.members),
        connected=len(simulator.tokens.approved),
        athletes=lines(simulator, _SHOWN),
        calls=calls,
        latest=[*simulator.latest][: -_LATEST_SHOWN - 1 : -1],
        budget=[
            ("Reads, quarter hour", calls.quarter_hour, allowed.read_quarter),
            ("Reads, day", calls.day, allowed.read_day),
            ("All, quarter hour", calls.overall_quarter_hour, allowed.overall_quarter),
            ("All, day", calls.overall_day, allowed.overall_day),
        ],
        client_id=settings.application.client_id,
        now=simulator.clock.now().isoformat(),
        frozen=simulator.clock.frozen,
        troubles=[*(["the application is inactive"] if settings.inactive else []), *_troubles(simulator)],
        callback=simulator.subscription and simulator.subscription.callback_url,
        delivered=deliveries.count("delivered"),
        undelivered=len(deliveries) - deliveries.count("delivered"),
    )


def _troubles(simulator: Simulator) -> list[str]:
    return [
        f"{mishap.kind} for {mishap.athlete_id or 'everybody'} on {mishap.path}"
        for _, mishap in simulator.mishaps.orders()
    ]


async def _not_as_described(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Without the input, which may be what JSON cannot say.
    problems = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return JSONResponse({"detail": problems}, status_code=422)


async def _unreadable(_request: Request, _error: Exception) -> Response:
    return refusal(bad_request("Request", "body"))


async def _unknown_path(_request: Request, _error: Exception) -> Response:
    return refusal(UNKNOWN_PATH)
