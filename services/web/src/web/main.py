"""Pages for participants: the composition root."""

from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from shared.db import Sessions
from shared.events import StandingsChanged
from shared.service import Service, run
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
    site = furnish(service.app, service.sessions, Leaderboard(to_leaderboard), auth, secret)

    async def forget_expired() -> bool:
        async with service.sessions.transaction() as session:
            await queries.forget_expired(session, datetime.now(UTC))
        return False

    service.bus.listen(StandingsChanged, site.boards.on_standings_changed)
    service.repeat(site.boards.refresh, REFRESH_EVERY_S)
    service.repeat(forget_expired, FORGET_EVERY_S)
    service.on_stop(to_leaderboard.aclose)
    service.on_stop(to_auth.aclose)
    return service


def furnish(app: FastAPI, sessions: Sessions, leaderboard: Leaderboard, auth: Auth, secret: bytes) -> Site:
    """Put the pages into an app."""
    assets = load_assets()
    renderer = Renderer(assets)
    boards = Boards(leaderboard, sessions, renderer.board, tuple(LANGUAGES))
    site = Site(renderer, boards, leaderboard, auth, sessions, secret, lambda: datetime.now(UTC))
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
    run("web", Settings, create_service)


if __name__ == "__main__":
    main()
