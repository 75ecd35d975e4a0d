"""The default challenge, created and updated from the settings."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from leaderboard.activities.queries import lock_scoring
from leaderboard.challenges import queries
from leaderboard.challenges.rules import DEFAULT_BOARDS, DEFAULT_MILESTONES, Challenge, month_bounds
from leaderboard.standings.queries import add_board_changes
from leaderboard.versions.use_cases import find_next_boards, find_next_rules, publish_rules
from shared.database.engine import Database

DEFAULT_SLUG = "main"
_BOARDS = DEFAULT_BOARDS + DEFAULT_MILESTONES


async def ensure_default_challenge(
    database: Database, name: str, days: tuple[date, date] | None, time_zone: str
) -> None:
    """Create the default challenge, or have it moved to these days, with what organisers have made of it.

    Without days a new one takes the present month, and one that exists is left alone.
    """
    async with database.transaction() as session:
        await lock_scoring(session)  # replicas that start together wait for each other, too
        row = await queries.find_challenge(session, DEFAULT_SLUG)
        if days is None and row is not None:
            return
        first, last = days or month_bounds(datetime.now(ZoneInfo(time_zone)).date())
        rules = Challenge(first, last)
        own = {"name": name, "time_zone": time_zone, "visibility": "public"}
        wanted = {board.slug: board for board in _BOARDS}
        if row is None:
            row = await queries.insert_challenge(session, DEFAULT_SLUG, own | vars(rules), _BOARDS)
        else:
            rules = replace(await find_next_rules(session, row), first_day=first, last_day=last)
            wanted |= await find_next_boards(session, row)
        boards = {board.id: board.slug for board in await queries.list_boards(session, row.id)}
        await publish_rules(
            session, row.id, rules, {key: wanted[slug] for key, slug in boards.items() if slug in wanted}
        )
        if any(getattr(row, field) != value for field, value in own.items()):
            row.name, row.time_zone = name, time_zone
            await add_board_changes(session, boards)  # they are on its pages, whatever the standings
