"""leaderboard's handlers and API, and the standings that came of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fastapi import FastAPI

from leaderboard import seed
from leaderboard.api_keys.use_cases import authenticate
from leaderboard.dependencies import ApiContext, KeyHolder
from leaderboard.main import configure_api
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.standings.handlers import ACTIVITY_HANDLERS, lock_people
from leaderboard.standings.use_cases import announce_changes, recalculate_next
from leaderboard.sync_client import SyncClient
from leaderboard.versions.use_cases import build_next, publish_complete
from shared.contracts.events import Event
from shared.contracts.sync_api import BudgetStatus, SyncStatus, WebhookStatus, WindowStatus
from shared.database.engine import Database
from shared.http.api import create_api
from testkit import handling
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, AUTHORIZED_AT
from testkit.handling import emitted

WEB_KEY = "web-key-of-the-tests"
OPERATOR_KEY = "operator-key-of-the-tests"
REQUESTS_PER_MINUTE = 120
#: The headers with which web asks for ANNA, who is an organiser.
ORGANISER = {
    "Authorization": f"Bearer {WEB_KEY}",
    "Gruppetto-User": str(ANNA),
    "Gruppetto-Organiser": "true",
}
TABLES_OF_PEOPLE = (
    *("activities", "daily_totals", "standings", "recalculations", "exclusions", "preferred_activities"),
    *("participants", "sync_health", "erased_users", "board_changes", "milestones_reached", "milestone_changes"),
    *("teams", "team_memberships", "outbox", "inbox"),
)
#: What sync may answer.
_WINDOW = WindowStatus(
    starts_at=AUTHORIZED_AT,
    ends_at=AUTHORIZED_AT + timedelta(minutes=15),
    limit=100,
    used=20,
    left=80,
    left_by_kind={"nightly": 30},
)
SYNC_STATUS = SyncStatus(
    athletes={"authorized": 3},
    oldest_listing_at=None,
    never_listed=0,
    needed_since=None,
    budget=BudgetStatus(quarter=_WINDOW, day=_WINDOW, inactive_since=None, last_unforeseen_refusal_at=None),
    queues=(),
    webhooks=WebhookStatus(
        subscribed=False, checked_at=None, problem=None, last_event_at=None, pending_events=0, missed_until=None
    ),
    nightly_runs=(),
)
MAY = (date(2026, 5, 1), date(2026, 5, 31))


async def add_challenge(database: Database, days: tuple[date, date] | None = MAY, name: str = "May") -> None:
    await seed.ensure_default_challenge(database, name, days, "Europe/Warsaw")
    await build(database)


async def recalculate(database: Database) -> bool:
    """Whoever waits for it longest."""
    return await recalculate_next(database, datetime.max.replace(tzinfo=UTC))


async def build(database: Database) -> None:
    """Until everything is shown by the rules of now, and announced."""
    while await build_next(database) or await publish_complete(database) or await recalculate(database):
        pass
    await announce_changes(database, datetime.now(UTC))


async def handle(database: Database, *events: Event, one_by_one: bool = False) -> None:
    """Those about people first, as they come in a queue of their own, unless they come one by one.

    Each batch is announced.
    """
    people = [event for event in events if type(event) in PARTICIPANT_HANDLERS]
    activities = [event for event in events if type(event) not in PARTICIPANT_HANDLERS]
    for batch in [[event] for event in events] if one_by_one else [people, activities]:
        if batch and type(batch[0]) in PARTICIPANT_HANDLERS:
            await handling.handle(database, "leaderboard.people", PARTICIPANT_HANDLERS, *batch, prepare=lock_people)
        else:
            await handling.handle(database, "leaderboard.activity", ACTIVITY_HANDLERS, *batch, prepare=lock_people)
        if batch:
            await announce_changes(database, datetime.now(UTC))


async def list_standings(database: Database) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Board and user -> metres, seconds, climb, activities."""
    found = await fetch_rows(
        database,
        """select slug, user_id, distance_m, moving_time_s, elev_gain_m, activities
           from standings join board_versions on board_versions.id = version_id join boards on boards.id = board_id
           where state = 'live' and threshold is null""",
    )
    return {(row.slug, row.user_id.int): tuple(row)[2:] for row in found}


async def metres(database: Database) -> dict[tuple[str, int], Decimal]:
    """Board and user -> metres."""
    return {key: figures[0] for key, figures in (await list_standings(database)).items()}


async def delete_all(database: Database) -> None:
    """Everything but the challenge, which has another revision then: what is gone is not in the same one."""
    for table in TABLES_OF_PEOPLE:
        await execute(database, f"delete from {table}")  # of a few rows: quicker than truncate
    await execute(database, "update challenges set revision = revision + 1")


async def emitted_changes(database: Database) -> list[tuple[tuple[str, ...], int]]:
    """Boards and revision of each `standings.changed` in the outbox, in order."""
    return [(tuple(event["boards"]), event["revision"]) for _, event in await emitted(database, "standings.changed")]


async def clear_outbox(database: Database) -> None:
    await execute(database, "truncate outbox")


def create_app(database: Database, sync: SyncClient | None = None) -> FastAPI:
    app = create_api("leaderboard", openapi=True)
    configure_api(make_context(database, sync=sync), app, create_api("internal"))
    return app


def create_internal_app(database: Database) -> FastAPI:
    """What operators reach."""
    internal_app = create_api("internal")
    configure_api(make_context(database), create_api("leaderboard"), internal_app)
    return internal_app


def make_context(
    database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC), sync: SyncClient | None = None
) -> ApiContext:
    async def authenticate_now(authorization: str) -> KeyHolder | None:
        return await authenticate(database, REQUESTS_PER_MINUTE, authorization, clock())

    return ApiContext(database, WEB_KEY, OPERATOR_KEY, authenticate_now, sync)


MAY_20 = datetime(2026, 5, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Scheduled:
    """A challenge's days in Warsaw."""

    first_day: date
    last_day: date
    id: int = 1
    time_zone: str = "Europe/Warsaw"


def month(number: int, year: int = 2026) -> Scheduled:
    first = date(year, number, 1)
    return Scheduled(first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1), number)


def midnight_in_warsaw(number: int, utc_hour: int = 22) -> datetime:
    """A day before the first of that month in summer, by the clock in Warsaw."""
    return datetime(2026, number, 1, tzinfo=UTC) - timedelta(days=2) + timedelta(hours=utc_hour)
