"""What leaderboard does on events about people."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import list_scored_challenges
from leaderboard.participants import queries
from leaderboard.standings.queries import erase_standings, get_standings, lock_standings
from leaderboard.standings.use_cases import publish_standings_changed
from shared.contracts.events import UserAuthorized, UserErased, UserRenamed
from shared.messaging.inbox import BatchHandler, Handlers


async def add_participant(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    await lock_standings(session)
    may_differ = await queries.upsert_participant(
        session,
        user_id=event.user_id,
        display_name=event.display_name,
        named_at=event.authorized_at,
        athlete_id=event.athlete_id,
        authorized_at=event.authorized_at,
    )
    if may_differ:
        await _publish_boards_of(event, session)


async def rename_participant(event: UserRenamed, session: AsyncSession) -> None:
    """A new name; it may come before the authorization, which then has the older one."""
    await lock_standings(session)
    may_differ = await queries.upsert_participant(
        session, user_id=event.user_id, display_name=event.display_name, named_at=event.renamed_at
    )
    if may_differ:
        await _publish_boards_of(event, session)


async def _publish_boards_of(event: UserAuthorized | UserRenamed, session: AsyncSession) -> None:
    """Emit that the boards changed on which this user is."""
    for challenge in await list_scored_challenges(session):
        standings = await get_standings(session, list(challenge.boards), [event.user_id])
        if standings:
            await publish_standings_changed(session, challenge, {board_id for board_id, _ in standings})


async def erase_participants(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Everything of these users goes; activities that are another user's by now stay with them."""
    await lock_standings(session)
    erased_at = {event.user_id: event.erased_at for event in events}
    await queries.erase_participants(session, erased_at)
    left = await erase_standings(session, list(erased_at))
    for challenge in await list_scored_challenges(session):
        if boards := left & challenge.boards.keys():
            await publish_standings_changed(session, challenge, boards)


PARTICIPANT_HANDLERS: Handlers = {
    UserAuthorized: add_participant,
    UserRenamed: rename_participant,
    UserErased: BatchHandler(erase_participants),
}
