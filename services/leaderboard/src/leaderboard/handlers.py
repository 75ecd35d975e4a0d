"""Reactions of leaderboard to events."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard import queries
from leaderboard.standings_updater import publish_standings_changed, update_standings
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised, ActivityState, UserAuthorized
from shared.messaging.inbox import BatchHandler, Handlers


async def add_participant(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    await queries.lock_standings(session)
    if await queries.upsert_participant(session, event):
        for challenge in await queries.list_scored_challenges(session):
            if await queries.get_standings(session, list(challenge.boards), [event.user_id]):
                await publish_standings_changed(session, challenge, list(challenge.boards))


async def score_activities(events: Sequence[ActivityState], session: AsyncSession) -> None:
    """Recorded and revised activities."""
    await queries.lock_standings(session)
    before = await queries.upsert_activities(session, events)
    await update_standings(session, before | {event.user_id for event in events})


async def remove_activities(events: Sequence[ActivityRemoved], session: AsyncSession) -> None:
    """Removed activities."""
    await queries.lock_standings(session)
    before = await queries.mark_activities_removed(session, events)
    await update_standings(session, before | {event.user_id for event in events})


PARTICIPANT_HANDLERS: Handlers = {UserAuthorized: add_participant}

ACTIVITY_HANDLERS: Handlers = {
    ActivityRecorded: BatchHandler(score_activities),
    ActivityRevised: BatchHandler(score_activities),
    ActivityRemoved: BatchHandler(remove_activities),
}
