"""leaderboard: challenges, boards and standings."""

from datetime import UTC, datetime

from fastapi import FastAPI

from leaderboard.activities.use_cases import purge_activities
from leaderboard.admin import routes as admin_routes
from leaderboard.admin.use_cases import close_expired
from leaderboard.api_keys import routes as api_keys_routes
from leaderboard.api_keys.use_cases import authenticate
from leaderboard.audit import routes as audit_routes
from leaderboard.challenges import routes as challenges_routes
from leaderboard.challenges.use_cases import announce_fetch_window, announce_retention
from leaderboard.config import Settings
from leaderboard.dependencies import ApiContext, KeyHolder
from leaderboard.milestones import routes as milestones_routes
from leaderboard.milestones.use_cases import update_milestones
from leaderboard.participants import routes as participants_routes
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.participants.use_cases import expire_participants
from leaderboard.profiles import routes as profiles_routes
from leaderboard.seed import ensure_default_challenge
from leaderboard.standings import routes as standings_routes
from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people
from leaderboard.standings.use_cases import announce_changes, recalculate_next, snapshot_places
from leaderboard.sync_client import SyncClient
from leaderboard.sync_health import routes as sync_health_routes
from leaderboard.teams import routes as teams_routes
from leaderboard.teams.rankings import TeamRankings
from leaderboard.verdicts import routes as verdicts_routes
from leaderboard.versions import routes as versions_routes
from leaderboard.versions.use_cases import (
    build_next,
    check_nightly,
    delete_retired,
    publish_complete,
    retire_old_previews,
)
from shared.http.api import add_routes
from shared.service import Service, serve

#: What changes meanwhile is announced together; an open page is updated at most once a second.
ANNOUNCE_BOARDS_INTERVAL_S = 0.2
#: Each look loads all days of those who are above a threshold, so that it pays to wait for more changes of theirs.
MILESTONES_INTERVAL_S = 5.0
ANNOUNCE_INTERVAL_S = 60.0
#: Each costs its people a calculation of everything, whatever came meanwhile.
RECALCULATE_INTERVAL_S = 2.0
BUILD_INTERVAL_S = 0.5
DELETE_INTERVAL_S = 30.0
CHECK_INTERVAL_S = 60.0
SNAPSHOT_INTERVAL_S = 60.0
EXPIRY_INTERVAL_S = 600.0
#: Scoring costs by the participant and not by the activity, so that it pays to wait for more of the same.
SCORING_WAIT_MS = 50


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("leaderboard", settings, openapi=True)

    async def authenticate_now(authorization: str) -> KeyHolder | None:
        limit = settings.api_key_requests_per_minute
        return await authenticate(service.database, limit, authorization, datetime.now(UTC))

    context = ApiContext(
        service.database,
        settings.leaderboard_api_key.get_secret_value(),
        settings.leaderboard_operator_key.get_secret_value(),
        authenticate_now,
        _create_sync_client(settings, service),
    )
    configure_api(context, service.app, service.internal_app)

    async def seed() -> None:
        first, last = settings.challenge_first_day, settings.challenge_last_day
        days = (first, last) if first and last else None
        await ensure_default_challenge(service.database, settings.challenge_name, days, settings.challenge_time_zone)

    async def announce() -> bool:
        await close_expired(service.database, datetime.now(UTC))
        await announce_fetch_window(service.database, datetime.now(UTC))
        await announce_retention(service.database, datetime.now(UTC))
        return False

    async def expire() -> bool:
        return await expire_participants(service.database, datetime.now(UTC))

    async def announce_boards() -> bool:
        await announce_changes(service.database, datetime.now(UTC))
        return False

    async def look_at_milestones() -> bool:
        return await update_milestones(service.database)

    async def recalculate() -> bool:
        began = datetime.now(UTC)  # whoever is requested again meanwhile waits for the next time
        while await recalculate_next(service.database, began):
            pass
        return False

    async def build() -> bool:
        return await build_next(service.database) or await publish_complete(service.database)

    async def check() -> bool:
        return await check_nightly(service.database, datetime.now(UTC))

    async def delete() -> bool:
        await retire_old_previews(service.database, datetime.now(UTC))
        more = await delete_retired(service.database)
        return await purge_activities(service.database, datetime.now(UTC)) or more

    async def snapshot() -> bool:
        await snapshot_places(service.database, datetime.now(UTC))
        return False

    service.on_start(seed)
    service.bus.subscribe("leaderboard.people", PARTICIPANT_HANDLERS, prepare=lock_people)
    service.bus.subscribe("leaderboard.activity", ACTIVITY_HANDLERS, wait_ms=SCORING_WAIT_MS, prepare=lock_people)
    service.add_periodic_task(announce_boards, ANNOUNCE_BOARDS_INTERVAL_S)
    service.add_periodic_task(look_at_milestones, MILESTONES_INTERVAL_S)
    service.add_periodic_task(announce, ANNOUNCE_INTERVAL_S)
    service.add_periodic_task(expire, EXPIRY_INTERVAL_S)
    service.add_periodic_task(recalculate, RECALCULATE_INTERVAL_S)
    service.add_periodic_task(build, BUILD_INTERVAL_S)
    service.add_periodic_task(delete, DELETE_INTERVAL_S)
    service.add_periodic_task(check, CHECK_INTERVAL_S)
    service.add_periodic_task(snapshot, SNAPSHOT_INTERVAL_S)
    return service


def _create_sync_client(settings: Settings, service: Service) -> SyncClient | None:
    if settings.sync_status_url is None or settings.sync_operator_key is None:
        return None
    client = SyncClient(str(settings.sync_status_url), settings.sync_operator_key.get_secret_value())
    service.on_stop(client.close)
    return client


def configure_api(context: ApiContext, app: FastAPI, internal_app: FastAPI) -> None:
    """Add what web, organisers and programs ask, and what operators do."""
    for one in (app, internal_app):
        one.state.database, one.state.context = context.database, context
    app.state.team_rankings = TeamRankings()
    add_routes(
        app,
        challenges_routes.router,
        standings_routes.router,
        *teams_routes.routers,
        milestones_routes.router,
        verdicts_routes.router,
        participants_routes.router,
        participants_routes.admin_router,
        profiles_routes.router,
        sync_health_routes.router,
        admin_routes.router,
        api_keys_routes.router,
        audit_routes.router,
    )
    add_routes(internal_app, api_keys_routes.operator_router, versions_routes.operator_router)


def main() -> None:
    """`python -m leaderboard.main`."""
    serve("leaderboard", Settings, create_service)


if __name__ == "__main__":
    main()
