"""The default challenge, created and updated from the settings."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from leaderboard.challenges import queries
from leaderboard.challenges.rules import DEFAULT_BOARDS, month_bounds
from leaderboard.standings.queries import add_board_changes, lock_standings
from leaderboard.standings.use_cases import rebuild_standings
from shared.database.engine import Database

DEFAULT_SLUG = "main"


async def ensure_default_challenge(
    database: Database, name: str, days: tuple[date, date] | None, time_zone: str
) -> None:
    """Create the default challenge, or move it to these days and score everyone anew.

    Without days a new one takes the present month, and one that exists is left alone.
    """
    async with database.transaction() as session:
        await lock_standings(session)  # replicas that start together wait for each other, too
        if days is None and await queries.find_challenge(session, DEFAULT_SLUG) is not None:
            return
        fields = _fields(name, days or month_bounds(datetime.now(ZoneInfo(time_zone)).date()), time_zone)
        if await queries.upsert_challenge(session, DEFAULT_SLUG, fields, DEFAULT_BOARDS):
            await rebuild_standings(session)
            for challenge in await queries.list_scored_challenges(session):
                if challenge.slug == DEFAULT_SLUG:  # its name and days are on its pages, whatever the standings
                    await add_board_changes(session, challenge.boards.keys())


def _fields(name: str, days: tuple[date, date], time_zone: str) -> dict[str, Any]:
    return {
        "name": name,
        "first_day": days[0],
        "last_day": days[1],
        "time_zone": time_zone,
        "visibility": "public",
        "counts_manual": True,
        "counts_trainer": False,
        "counts_commute": True,
    }
