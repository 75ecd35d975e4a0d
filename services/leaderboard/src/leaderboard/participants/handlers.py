"""What leaderboard does on events about people."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import list_scored_challenges
from leaderboard.participants import queries
from leaderboard.standings.queries import add_board_changes, erase_standings, get_standings
from shared.contracts.events import UserAuthorized, UserErased, UserRenamed
from shared.messaging.inbox import BatchHandler, Handlers


async def add_participant(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    may_differ = await queries.upsert_participant(
        session,
        user_id=event.user_id,
        display_name=event.display_name,
        named_at=event.authorized_at,
        athlete_id=event.athlete_id,
        authorized_at=event.authorized_at,
    )
    if may_differ:
        await _add_changed_boards(event, session)


async def rename_participant(event: UserRenamed, session: AsyncSession) -> None:
    """A new name; it may come before the authorization, which then has the older one."""
    may_differ = await queries.upsert_participant(
        session, user_id=event.user_id, display_name=event.display_name, named_at=event.renamed_at
    )
    if may_differ:
        await _add_changed_boards(event, session)


async def _add_changed_boards(event: UserAuthorized | UserRenamed, session: AsyncSession) -> None:
    """The boards on which this user is look different now."""
    for challenge in await list_scored_challenges(session):
        standings = await get_standings(session, list(challenge.boards), [event.user_id])
        if standings:
            await add_board_changes(session, {board_id for board_id, _ in standings})


async def erase_participants(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Everything of these users goes; activities that are another user's by now stay with them."""
    erased_at = {event.user_id: event.erased_at for event in events}
    await queries.erase_participants(session, erased_at)
    await add_board_changes(session, await erase_standings(session, list(erased_at)))


PARTICIPANT_HANDLERS: Handlers = {
    UserAuthorized: add_participant,
    UserRenamed: rename_participant,
    UserErased: BatchHandler(erase_participants),
}
