"""Finding out who reached a milestone, and when, after their standings changed."""

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import Change, lock_people
from leaderboard.activities.use_cases import load_connected_days
from leaderboard.challenges.queries import BoardVersion, list_scored_versions
from leaderboard.milestones import queries
from leaderboard.milestones.queries import Candidate, Reached
from leaderboard.milestones.rules import end_of_day, find_day, find_moment
from leaderboard.standings.queries import add_board_changes, get_all_daily_totals
from leaderboard.standings.rules.scoring import Totals, judge
from shared.contracts.events import MilestoneReached
from shared.database.engine import Database
from shared.messaging.outbox import emit

BATCH = 5_000  # changes in one transaction
#: Of one person on the day on which they reached it; with more, the day's end is the moment.
DAY_ACTIVITIES = 2_000


async def update_milestones(database: Database) -> bool:
    """Save what was reached, or is not any more, and emit what is new; returns whether there may be more."""
    async with database.transaction() as session:
        changed, is_full = await queries.take_changes(session, BATCH)
        if not changed:
            return False
        # Whoever comes to it after this look has changed once more, and is looked at again.
        candidates = await queries.list_relevant(session, changed)
        if not candidates:
            return is_full
        await lock_people(session, {user_id for _, user_id in candidates})
        versions = {
            version.board_id: version
            for version in await list_scored_versions(session)
            if isinstance(version, BoardVersion) and version.is_live and version.board.threshold is not None
        }
        candidates = {each for each in candidates if each[0] in versions}
        above = await queries.list_above(session, candidates)
        if below := candidates - above:
            await queries.delete_reached(session, below)
        reached = await _find_reached(session, versions, above) if above else {}
        if reached:
            new = await queries.save_reached(session, reached)
            slugs = await queries.list_slugs(session, {board_id for board_id, _ in new})
            await emit(session, *(_to_event(each, slugs[each[0]], reached[each].at) for each in sorted(new)))
        if candidates:  # whoever shows the milestones hears of it
            await add_board_changes(session, {board_id for board_id, _ in candidates})
    return is_full


def _to_event(candidate: Candidate, slugs: tuple[str, str], reached_at: datetime) -> MilestoneReached:
    challenge, milestone = slugs
    return MilestoneReached(user_id=candidate[1], challenge=challenge, milestone=milestone, reached_at=reached_at)


async def _find_reached(
    session: AsyncSession, versions: dict[int, BoardVersion], candidates: set[Candidate]
) -> dict[Candidate, Reached]:
    totals = await get_all_daily_totals(
        session, {versions[board_id].id for board_id, _ in candidates}, {user_id for _, user_id in candidates}
    )
    days: dict[tuple[int, UUID], dict[date, Totals]] = defaultdict(dict)
    for (version_id, user_id, day), each in totals.items():
        days[version_id, user_id][day] = each
    crossings: dict[Candidate, tuple[date, Totals]] = {}
    for board_id, user_id in candidates:
        version = versions[board_id]
        crossing = find_day(version.board, _threshold(version), days[version.id, user_id])
        if crossing is not None:
            crossings[board_id, user_id] = crossing
    loaded = await load_connected_days(
        session, [Change(user_id, day, None) for (_, user_id), (day, _) in crossings.items()], DAY_ACTIVITIES
    )
    reached: dict[Candidate, Reached] = {}
    for (board_id, user_id), (day, before) in crossings.items():
        version = versions[board_id]
        own = list(loaded.activities[user_id].values())
        judged = judge(version.challenge, version.board, own)
        on_day = [activity for activity in own if activity.day == day]
        moment = find_moment(version.board, _threshold(version), before, on_day, judged)
        reached[board_id, user_id] = Reached(moment or end_of_day(day), day)
    return reached


def _threshold(version: BoardVersion) -> Decimal:
    assert version.board.threshold is not None
    return version.board.threshold
