"""Updating standings: load an athlete's activities, judge them, save what differs, announce which boards changed."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import ScoredChallenge, list_scored_challenges, next_revision
from leaderboard.standings import queries
from leaderboard.standings.queries import BoardUser
from leaderboard.standings.rules.scoring import Totals, judge, sum_counted
from shared.contracts.events import StandingsChanged
from shared.database.engine import Database
from shared.messaging.outbox import emit

REBUILD_BATCH = 500  # users, whose activities are in memory together
ANNOUNCE_BATCH = 10_000  # changes, of which each transaction makes one for each board


async def rebuild_standings(session: AsyncSession) -> None:
    """Compute all standings anew from the activities; the caller holds the lock of the standings."""
    users = await queries.list_user_ids(session)
    for first in range(0, len(users), REBUILD_BATCH):
        await update_standings(session, users[first : first + REBUILD_BATCH])


async def update_standings(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Compute the standings of these users from their activities; the caller holds their locks."""
    for challenge in await list_scored_challenges(session):
        wanted = await _score(session, challenge, user_ids)
        present = await queries.get_standings(session, list(challenge.boards), user_ids)
        changed = {key: totals for key, totals in wanted.items() if totals != present.get(key, Totals())}
        if changed:
            await queries.upsert_standings(session, changed)
            await queries.add_board_changes(session, {board_id for board_id, _ in changed})


async def _score(
    session: AsyncSession, challenge: ScoredChallenge, user_ids: Collection[UUID]
) -> dict[BoardUser, Totals]:
    rules = challenge.rules
    activities = await queries.list_activities(session, user_ids, rules.first_day, rules.last_day)
    return {
        (board_id, user_id): sum_counted(own, judge(rules, board, own))
        for user_id, own in activities.items()
        for board_id, board in challenge.boards.items()
    }


async def announce_changes(database: Database, now: datetime) -> None:
    """Emit which boards changed, once for all transactions since the last time.

    Their commits came before the revision, so that whoever reads at that revision sees them.
    """
    async with database.transaction() as session:
        changed = await queries.take_board_changes(session, ANNOUNCE_BATCH)
        if not changed:
            return
        for challenge in await list_scored_challenges(session):
            if boards := challenge.boards.keys() & changed:
                await emit(session, await _to_event(session, challenge, boards, now))


async def _to_event(
    session: AsyncSession, challenge: ScoredChallenge, board_ids: Collection[int], now: datetime
) -> StandingsChanged:
    return StandingsChanged(
        challenge=challenge.slug,
        boards=tuple(sorted(challenge.boards[board_id].slug for board_id in board_ids)),
        revision=await next_revision(session, challenge.id, now),
        first_day=challenge.rules.first_day,
        last_day=challenge.rules.last_day,
    )
