"""What leaderboard does on events about people."""

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import list_scored_challenges
from leaderboard.participants import queries
from leaderboard.standings.queries import get_standings, lock_standings
from leaderboard.standings.use_cases import publish_standings_changed
from shared.contracts.events import UserAuthorized
from shared.messaging.inbox import Handlers


async def add_participant(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    await lock_standings(session)
    may_differ = await queries.upsert_participant(
        session,
        user_id=event.user_id,
        athlete_id=event.athlete_id,
        display_name=event.display_name,
        authorized_at=event.authorized_at,
    )
    if may_differ:
        for challenge in await list_scored_challenges(session):
            if await get_standings(session, list(challenge.boards), [event.user_id]):
                await publish_standings_changed(session, challenge, list(challenge.boards))


PARTICIPANT_HANDLERS: Handlers = {UserAuthorized: add_participant}
