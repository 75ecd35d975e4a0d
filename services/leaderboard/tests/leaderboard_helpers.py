"""leaderboard's handlers and API, and the standings that came of them."""

from datetime import date
from decimal import Decimal
from typing import Any

from fastapi import FastAPI

from leaderboard import seed
from leaderboard.challenges import routes as challenges_routes
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.standings import routes as standings_routes
from leaderboard.standings.handlers import ACTIVITY_HANDLERS
from shared.contracts.events import Event
from shared.database.engine import Database
from shared.http.api import create_api
from testkit import handling
from testkit.databases import execute, fetch_rows
from testkit.handling import emitted

MAY = (date(2026, 5, 1), date(2026, 5, 31))


async def add_challenge(database: Database, days: tuple[date, date] | None = MAY, name: str = "May") -> None:
    await seed.ensure_default_challenge(database, name, days, "Europe/Warsaw")


async def handle(database: Database, *events: Event, one_by_one: bool = False) -> None:
    """Those about people first, as they come in a queue of their own, unless they come one by one."""
    people = [event for event in events if type(event) in PARTICIPANT_HANDLERS]
    activities = [event for event in events if type(event) not in PARTICIPANT_HANDLERS]
    for batch in [[event] for event in events] if one_by_one else [people, activities]:
        if batch and type(batch[0]) in PARTICIPANT_HANDLERS:
            await handling.handle(database, "leaderboard.people", PARTICIPANT_HANDLERS, *batch)
        else:
            await handling.handle(database, "leaderboard.activity", ACTIVITY_HANDLERS, *batch)


async def list_standings(database: Database) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Board and user -> metres, seconds, climb, activities."""
    found = await fetch_rows(
        database,
        """select slug, user_id, distance_m, moving_time_s, elev_gain_m, activities
           from standings join boards on boards.id = board_id""",
    )
    return {(row.slug, row.user_id.int): tuple(row)[2:] for row in found}


async def metres(database: Database) -> dict[tuple[str, int], Decimal]:
    """Board and user -> metres."""
    return {key: figures[0] for key, figures in (await list_standings(database)).items()}


async def delete_all(database: Database) -> None:
    """Everything but the challenge."""
    for table in ("activities", "standings", "participants", "erased_users", "outbox", "inbox"):
        await execute(database, f"delete from {table}")  # of a few rows: quicker than truncate


async def emitted_changes(database: Database) -> list[tuple[tuple[str, ...], int]]:
    """Boards and revision of each `standings.changed` in the outbox, in order."""
    return [(tuple(event["boards"]), event["revision"]) for _, event in await emitted(database, "standings.changed")]


async def clear_outbox(database: Database) -> None:
    await execute(database, "truncate outbox")


def create_app(database: Database) -> FastAPI:
    app = create_api("leaderboard", openapi=True)
    app.state.database = database
    app.include_router(challenges_routes.router)
    app.include_router(standings_routes.router)
    return app
