"""Pages for participants: the composition root."""

from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from shared.contracts.events import StandingsChanged
from shared.database.engine import Database
from shared.service import Service, serve
from web import joining, pages, queries
from web.assets import load_assets
from web.clients import Auth, Leaderboard, connect
from web.config import Settings
from web.guard import Guard
from web.live import Boards
from web.problems import add_error_pages
from web.rendering import LANGUAGES, Renderer
from web.site import COOKIES, Site

REFRESH_EVERY_S = 0.2
FORGET_EVERY_S = 3600.0


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("web", settings, cookies=COOKIES)
    to_leaderboard = connect(str(settings.leaderboard_url))
    to_auth = connect(str(settings.auth_url))
    auth = Auth(to_auth, settings.auth_api_key.get_secret_value())
    secret = settings.secret_key_base.get_secret_value().encode()
    site = furnish(service.app, service.database, Leaderboard(to_leaderboard), auth, secret)

    async def forget_expired() -> bool:
        async with service.database.transaction() as session:
            await queries.forget_expired(session, datetime.now(UTC))
        return False

    service.bus.subscribe_broadcast(StandingsChanged, site.boards.on_standings_changed)
    service.add_periodic_task(site.boards.refresh, REFRESH_EVERY_S)
    service.add_periodic_task(forget_expired, FORGET_EVERY_S)
    service.on_stop(to_leaderboard.aclose)
    service.on_stop(to_auth.aclose)
    return service


def furnish(app: FastAPI, database: Database, leaderboard: Leaderboard, auth: Auth, secret: bytes) -> Site:
    """Put the pages into an app."""
    assets = load_assets()
    renderer = Renderer(assets)
    boards = Boards(leaderboard, database, renderer.board, tuple(LANGUAGES))
    site = Site(renderer, boards, leaderboard, auth, database, secret, lambda: datetime.now(UTC))
    app.state.site = site
    app.state.assets_by_url = {asset.url: asset for asset in assets.values()}
    app.include_router(pages.router)
    app.include_router(joining.router)
    add_error_pages(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    app.add_middleware(Guard)
    return site


def main() -> None:
    """`python -m web.main`."""
    serve("web", Settings, create_service)


if __name__ == "__main__":
    main()
