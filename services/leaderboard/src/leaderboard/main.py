"""leaderboard: challenges, boards and standings."""

from leaderboard import api
from leaderboard.config import Settings
from leaderboard.handlers import ACTIVITY_HANDLERS, PARTICIPANT_HANDLERS
from leaderboard.seed import ensure_default_challenge
from shared.service import Service, serve


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("leaderboard", settings, openapi=True)

    async def seed() -> None:
        first, last = settings.challenge_first_day, settings.challenge_last_day
        days = (first, last) if first and last else None
        await ensure_default_challenge(service.database, settings.challenge_name, days, settings.challenge_time_zone)

    service.on_start(seed)
    service.bus.subscribe("leaderboard.people", PARTICIPANT_HANDLERS)
    service.bus.subscribe("leaderboard.activity", ACTIVITY_HANDLERS)
    service.app.include_router(api.router)
    return service


def main() -> None:
    """`python -m leaderboard.main`."""
    serve("leaderboard", Settings, create_service)


if __name__ == "__main__":
    main()
