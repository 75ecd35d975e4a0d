"""leaderboard: challenges, boards and standings."""

from datetime import UTC, datetime

from leaderboard.challenges import routes as challenges_routes
from leaderboard.challenges.use_cases import announce_fetch_window, announce_retention
from leaderboard.config import Settings
from leaderboard.dependencies import ApiContext
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.participants.use_cases import expire_participants
from leaderboard.seed import ensure_default_challenge
from leaderboard.standings import routes as standings_routes
from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people
from leaderboard.standings.use_cases import announce_changes, recalculate_next, snapshot_places
from leaderboard.versions.use_cases import build_next, delete_retired, publish_complete
from shared.service import Service, serve

#: What changes meanwhile is announced together; an open page is updated at most once a second.
ANNOUNCE_BOARDS_INTERVAL_S = 0.2
ANNOUNCE_INTERVAL_S = 60.0
#: Each costs its people a calculation of everything, whatever came meanwhile.
RECALCULATE_INTERVAL_S = 2.0
BUILD_INTERVAL_S = 0.5
DELETE_INTERVAL_S = 30.0
SNAPSHOT_INTERVAL_S = 60.0
EXPIRY_INTERVAL_S = 600.0
#: Scoring costs by the participant and not by the activity, so that it pays to wait for more of the same.
SCORING_WAIT_MS = 50


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("leaderboard", settings, openapi=True)
    service.app.state.context = ApiContext(service.database, settings.leaderboard_api_key.get_secret_value())

    async def seed() -> None:
        first, last = settings.challenge_first_day, settings.challenge_last_day
        days = (first, last) if first and last else None
        await ensure_default_challenge(service.database, settings.challenge_name, days, settings.challenge_time_zone)

    async def announce() -> bool:
        await announce_fetch_window(service.database, datetime.now(UTC))
        await announce_retention(service.database, datetime.now(UTC))
        return False

    async def expire() -> bool:
        return await expire_participants(service.database, datetime.now(UTC))

    async def announce_boards() -> bool:
        await announce_changes(service.database, datetime.now(UTC))
        return False

    async def recalculate() -> bool:
        await recalculate_next(service.database)
        return False

    async def build() -> bool:
        return await build_next(service.database) or await publish_complete(service.database)

    async def delete() -> bool:
        return await delete_retired(service.database)

    async def snapshot() -> bool:
        await snapshot_places(service.database, datetime.now(UTC))
        return False

    service.on_start(seed)
    service.bus.subscribe("leaderboard.people", PARTICIPANT_HANDLERS, prepare=lock_people)
    service.bus.subscribe("leaderboard.activity", ACTIVITY_HANDLERS, wait_ms=SCORING_WAIT_MS, prepare=lock_people)
    service.add_periodic_task(announce_boards, ANNOUNCE_BOARDS_INTERVAL_S)
    service.add_periodic_task(announce, ANNOUNCE_INTERVAL_S)
    service.add_periodic_task(expire, EXPIRY_INTERVAL_S)
    service.add_periodic_task(recalculate, RECALCULATE_INTERVAL_S)
    service.add_periodic_task(build, BUILD_INTERVAL_S)
    service.add_periodic_task(delete, DELETE_INTERVAL_S)
    service.add_periodic_task(snapshot, SNAPSHOT_INTERVAL_S)
    service.app.include_router(challenges_routes.router)
    service.app.include_router(standings_routes.router)
    return service


def main() -> None:
    """`python -m leaderboard.main`."""
    serve("leaderboard", Settings, create_service)


if __name__ == "__main__":
    main()
