"""The simulator as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader

from stravasim.clock import Clock, SystemClock
from stravasim.club import Club
from stravasim.data_routes import add_data_routes, refusal
from stravasim.faults import UNKNOWN_PATH
from stravasim.lively import keep_lively
from stravasim.oauth_routes import OAuthPages
from stravasim.sim_routes import calls_of, lines, sim_router
from stravasim.simulator import Settings, Simulator, new_simulator

_SHOWN = 100  # athletes on the plain page


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

    async def front_page(_: Request) -> Response:
        return HTMLResponse(_home(simulator, home.render))

    app = FastAPI(title="stravasim", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.simulator = simulator
    add_data_routes(app, simulator)
    OAuthPages(simulator, templates).add_to(app)
    app.add_route("/", front_page)
    app.include_router(sim_router(simulator))
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _unknown_path)
    return app


def _home(simulator: Simulator, render: Callable[..., str]) -> str:
    return render(
        total=len(simulator.club.members),
        athletes=lines(simulator.club, _SHOWN),
        calls=calls_of(simulator),
        limits=simulator.settings.limits,
        client_id=simulator.settings.application.client_id,
    )


async def _unknown_path(_request: Request, _error: Exception) -> Response:
    return refusal(UNKNOWN_PATH)
