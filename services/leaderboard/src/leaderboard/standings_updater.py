"""Bringing standings up to date: load an athlete's facts, judge them, save what differs, tell."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard import domain, queries
from leaderboard.domain import Totals
from leaderboard.queries import BoardUser, ScoredChallenge
from shared.contracts.events import StandingsChanged
from shared.messaging.outbox import emit

AT_A_TIME = 500  # users, whose activities are in memory together


async def rebuild_standings(session: AsyncSession) -> None:
    """Make all standings anew from the facts; the caller holds the scoring lock."""
    users = await queries.list_user_ids(session)
    for first in range(0, len(users), AT_A_TIME):
        await update_standings(session, users[first : first + AT_A_TIME])


async def update_standings(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Make the standings of these users what their facts say; the caller holds the scoring lock."""
    for challenge in await queries.list_scored_challenges(session):
        wanted = await _score(session, challenge, user_ids)
        present = await queries.get_standings(session, list(challenge.boards), user_ids)
        changed = {key: totals for key, totals in wanted.items() if totals != present.get(key, Totals())}
        if changed:
            await queries.upsert_standings(session, changed)
            await publish_standings_changed(session, challenge, {board_id for board_id, _ in changed})


async def _score(
    session: AsyncSession, challenge: ScoredChallenge, user_ids: Collection[UUID]
) -> dict[BoardUser, Totals]:
    rules = challenge.rules
    activities = await queries.list_activities(session, user_ids, rules.first_day, rules.last_day)
    return {
        (board_id, user_id): domain.sum_counted(own, domain.judge(rules, board, own))
        for user_id, own in activities.items()
        for board_id, board in challenge.boards.items()
    }


async def publish_standings_changed(
    session: AsyncSession, challenge: ScoredChallenge, board_ids: Collection[int]
) -> None:
    """Count a new revision and tell those who show the boards."""
    revision = await queries.next_revision(session, challenge.id, datetime.now(UTC))
    await emit(
        session,
        StandingsChanged(
            challenge=challenge.slug,
            boards=tuple(sorted(challenge.boards[board_id].slug for board_id in board_ids)),
            revision=revision,
            first_day=challenge.rules.first_day,
            last_day=challenge.rules.last_day,
        ),
    )
