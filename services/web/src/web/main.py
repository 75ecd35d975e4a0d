"""web: pages for participants."""

from datetime import UTC, datetime

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from shared.contracts.events import StandingsChanged, SyncFinished
from shared.database.engine import Database
from shared.http.api import add_routes
from shared.service import Service, serve
from web.account import routes as account_routes
from web.account.use_cases import Erased, end_account
from web.activities import routes as activities_routes
from web.admin import routes as admin_routes
from web.boards import routes as boards_routes
from web.boards.board_cache import BoardCache
from web.boards.filtered import FilteredBoards
from web.boards.own_rows import OwnRows
from web.boards.rendering import BoardRenderer
from web.boards.routes import BoardPages
from web.challenges.directory import ChallengeDirectory
from web.clients.auth import AuthClient
from web.clients.calls import Api, make_client
from web.clients.leaderboard import LeaderboardClient
from web.config import Settings
from web.http import routes as http_routes
from web.http.assets import load_assets
from web.http.branding import DEFAULT, Branding
from web.http.cookies import Cookies
from web.http.dependencies import AppContext
from web.http.error_pages import add_error_pages
from web.http.queries import purge_expired_sessions
from web.http.rendering import LANGUAGES, Renderer
from web.http.security import SecurityMiddleware
from web.legal import routes as legal_routes
from web.live import routes as live_routes
from web.live.changes import Changes
from web.live.pages import LivePages
from web.live.streams import LiveStreams, StreamLimits
from web.milestones import routes as milestones_routes
from web.profiles import routes as profiles_routes
from web.sessions import routes as sessions_routes
from web.sessions.handlers import SESSION_HANDLERS
from web.sign_in import routes as sign_in_routes
from web.teams import routes as teams_routes
from web.welcome import routes as welcome_routes

REFRESH_INTERVAL_S = 0.05
CHECK_INTERVAL_S = 1.0
PURGE_INTERVAL_S = 3600.0


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    cookies = Cookies(settings.public_url.scheme == "https")
    service = Service("web", settings, cookies=cookies.names)
    leaderboard_http = make_client(str(settings.leaderboard_url))
    auth_http = make_client(str(settings.auth_url))
    boards, changes = configure_app(
        app=service.app,
        database=service.database,
        leaderboard=Api(leaderboard_http, settings.leaderboard_api_key.get_secret_value()),
        auth=AuthClient(Api(auth_http, settings.auth_api_key.get_secret_value())),
        cookies=cookies,
        limits=StreamLimits(settings.max_streams, settings.max_streams_per_address),
        branding=settings.branding,
        nightly_time_zone=settings.nightly_time_zone,
    )

    async def purge_expired() -> bool:
        async with service.database.transaction() as session:
            await purge_expired_sessions(session, datetime.now(UTC))
        return False

    configure_internal_app(service.internal_app, service.database, settings.web_operator_key.get_secret_value())
    service.bus.subscribe("web.people", SESSION_HANDLERS)
    service.bus.subscribe_broadcast(StandingsChanged, boards.mark_stale)
    service.bus.subscribe_broadcast(StandingsChanged, changes.note_change)
    service.bus.subscribe_broadcast(SyncFinished, changes.note_fetch)
    service.add_periodic_task(boards.refresh, REFRESH_INTERVAL_S)
    service.add_periodic_task(changes.check, CHECK_INTERVAL_S)
    service.add_periodic_task(purge_expired, PURGE_INTERVAL_S)
    service.on_stop(leaderboard_http.aclose)
    service.on_stop(auth_http.aclose)
    return service


def configure_app(
    *,
    app: FastAPI,
    database: Database,
    leaderboard: Api,
    auth: AuthClient,
    cookies: Cookies,
    limits: StreamLimits,
    branding: Branding = DEFAULT,
    nightly_time_zone: str = "Europe/Warsaw",
) -> tuple[BoardCache, Changes]:
    """Add the pages to an application; returns what is to hear of changes."""
    assets = load_assets(branding)
    renderer = Renderer(assets, branding)
    board_renderer = BoardRenderer(renderer)
    reader = LeaderboardClient(leaderboard)
    boards = BoardCache(reader, database, board_renderer.render_page, tuple(LANGUAGES))
    app.state.context = AppContext(
        renderer, leaderboard, auth, database, lambda: datetime.now(UTC), cookies, nightly_time_zone
    )
    app.state.challenges = ChallengeDirectory(reader, database)
    streams = LiveStreams(limits)
    changes = Changes(reader)
    app.state.boards = boards
    app.state.live_pages = LivePages(changes, streams)
    app.state.board_pages = BoardPages(boards, board_renderer, FilteredBoards(reader), OwnRows(reader), streams)
    app.state.assets_by_url = {asset.url: asset for asset in assets.values()}
    # A board's address fits more addresses than boards: whatever else begins with a challenge stands before it.
    add_routes(
        app,
        activities_routes.router,
        profiles_routes.router,
        milestones_routes.router,
        teams_routes.router,
        live_routes.router,
        boards_routes.router,
        sign_in_routes.router,
        welcome_routes.router,
        account_routes.router,
        *admin_routes.routers,
        legal_routes.router,
        http_routes.router,
    )
    add_error_pages(app)

    @app.exception_handler(Erased)
    async def erased(request: Request, error: Erased) -> Response:
        return await end_account(request.app.state.context, error.user_id)

    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    app.add_middleware(SecurityMiddleware)
    return boards, changes


def configure_internal_app(app: FastAPI, database: Database, operator_key: str) -> None:
    """Add what operators may do to the application that no stranger reaches."""
    app.state.database, app.state.operator_key = database, operator_key
    add_routes(app, sessions_routes.router)


def main() -> None:
    """`python -m web.main`."""
    serve("web", Settings, create_service)


if __name__ == "__main__":
    main()
