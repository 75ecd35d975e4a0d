"""Events for leaderboard, and what it makes of them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from sqlalchemy import text

from leaderboard import seed
from leaderboard.challenges import routes as challenges_routes
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.standings import routes as standings_routes
from leaderboard.standings.handlers import ACTIVITY_HANDLERS
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised, Event, UserAuthorized
from shared.database.engine import Database
from shared.http.api import create_api
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor

ANNA, JAN = UUID(int=1), UUID(int=2)
MAY = (date(2026, 5, 1), date(2026, 5, 31))
JOINED = datetime(2026, 5, 1, tzinfo=UTC)


def _state(day: int, km: float, **fields: Any) -> dict[str, Any]:
    local = datetime(2026, 5, 1, 8) + timedelta(days=day - 1)  # noqa: DTZ001
    usual: dict[str, Any] = {
        "reason": "fetched",
        "sport_type": "Run",
        "start_at": local.replace(tzinfo=UTC) - timedelta(hours=2),
        "local_start": local,
        "distance_m": km * 1000,
        "moving_time_s": 3000,
        "elapsed_time_s": 3600,
        "elev_gain_m": 10.1,
        "trainer": False,
        "commute": False,
        "manual": False,
        "visibility": "everyone",
    }
    return {**usual, **fields}


def recorded(
    strava_id: int = 1, version: int = 1, user: UUID = ANNA, day: int = 1, km: float = 10.0, **fields: Any
) -> ActivityRecorded:
    return ActivityRecorded(**_state(day, km, user_id=user, strava_id=strava_id, version=version, **fields))


def revised(
    strava_id: int = 1, version: int = 2, user: UUID = ANNA, day: int = 1, km: float = 20.0, **fields: Any
) -> ActivityRevised:
    return ActivityRevised(**_state(day, km, user_id=user, strava_id=strava_id, version=version, **fields))


def removed(strava_id: int = 1, version: int = 2, user: UUID = ANNA) -> ActivityRemoved:
    return ActivityRemoved(user_id=user, strava_id=strava_id, version=version, reason="not_listed")


def authorized(user: UUID = ANNA, name: str = "Anna K.", minute: int = 0) -> UserAuthorized:
    return UserAuthorized(
        user_id=user,
        athlete_id=user.int,
        display_name=name,
        scopes=("activity:read",),
        is_admin=False,
        consent_version="1",
        authorized_at=JOINED + timedelta(minutes=minute),
        first_time=minute == 0,
    )


async def challenge(database: Database, days: tuple[date, date] | None = MAY, name: str = "May") -> None:
    await seed.ensure_default_challenge(database, name, days, "Europe/Warsaw")


async def handle(database: Database, *events: Event, one_by_one: bool = False) -> None:
    """Those about people first, as they come in a queue of their own, unless they come one by one."""
    batches = (
        [[event] for event in events]
        if one_by_one
        else [
            [event for event in events if isinstance(event, UserAuthorized)],
            [event for event in events if not isinstance(event, UserAuthorized)],
        ]
    )
    for batch in batches:
        for error in await _processor(database, batch).process([Delivery(uuid4(), event) for event in batch]):
            if error is not None:
                raise error


def _processor(database: Database, batch: list[Event]) -> InboxProcessor:
    if batch and isinstance(batch[0], UserAuthorized):
        return InboxProcessor("leaderboard.people", database, PARTICIPANT_HANDLERS)
    return InboxProcessor("leaderboard.activity", database, ACTIVITY_HANDLERS)


async def rows(database: Database, statement: str) -> list[Any]:
    async with database.transaction() as session:
        return list(await session.execute(text(statement)))


async def standings(database: Database) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Board and user -> metres, seconds, climb, activities."""
    found = await rows(
        database,
        """select slug, user_id, distance_m, moving_time_s, elev_gain_m, activities
           from standings join boards on boards.id = board_id""",
    )
    return {(row.slug, row.user_id.int): tuple(row)[2:] for row in found}


async def told(database: Database) -> list[tuple[tuple[str, ...], int]]:
    """Boards and revision of what was emitted, in order."""
    found = [json.loads(row.body) for row in await rows(database, "select body from outbox order by seq")]
    return [(tuple(event["boards"]), event["revision"]) for event in found]


async def forget_told(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("truncate outbox"))


def app(database: Database) -> FastAPI:
    app = create_api("leaderboard", openapi=True)
    app.state.database = database
    app.include_router(challenges_routes.router)
    app.include_router(standings_routes.router)
    return app
