"""Reactions of leaderboard to events."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard import queries
from leaderboard.scoring import score_users, tell
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised, ActivityState, UserAuthorized
from shared.messaging.inbox import BatchHandler, Handlers


async def welcome(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    await queries.lock_scoring(session)
    if await queries.save_participant(session, event):
        for challenge in await queries.scored_challenges(session):
            if await queries.standings_of(session, list(challenge.boards), [event.user_id]):
                await tell(session, challenge, list(challenge.boards))


async def score_activities(events: Sequence[ActivityState], session: AsyncSession) -> None:
    """Recorded and revised activities."""
    await queries.lock_scoring(session)
    before = await queries.save_facts(session, events)
    await score_users(session, before | {event.user_id for event in events})


async def unscore_activities(events: Sequence[ActivityRemoved], session: AsyncSession) -> None:
    """Removed activities."""
    await queries.lock_scoring(session)
    before = await queries.mark_removed(session, events)
    await score_users(session, before | {event.user_id for event in events})


PEOPLE: Handlers = {UserAuthorized: welcome}

ACTIVITIES: Handlers = {
    ActivityRecorded: BatchHandler(score_activities),
    ActivityRevised: BatchHandler(score_activities),
    ActivityRemoved: BatchHandler(unscore_activities),
}
