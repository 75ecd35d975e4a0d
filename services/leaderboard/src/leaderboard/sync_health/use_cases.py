"""Asking sync to fetch."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import lock_people
from leaderboard.audit.queries import add_audit_entry
from leaderboard.dependencies import Actor
from leaderboard.sync_health import queries
from shared.contracts.events import SyncRequested
from shared.errors import Conflict, NotFound, TooManyRequests
from shared.messaging.outbox import emit

EVERYBODY = "everybody"
EVERYBODY_INTERVAL = timedelta(minutes=10)


async def request_sync(session: AsyncSession, actor: Actor, user_id: UUID | None, now: datetime) -> None:
    """Emit that an organiser wants a participant's activities fetched, or with None everybody's.

    Raises NotFound, Conflict, TooManyRequests.
    """
    if user_id is None:
        if not await queries.claim_everybody(session, now, now - EVERYBODY_INTERVAL):
            raise TooManyRequests("Everybody was asked for less than 10 minutes ago. Please wait until that is over.")
    else:
        await lock_people(session, [user_id])  # so that whoever is erased meanwhile is not in the log afterwards
        participant = await queries.find_participant(session, user_id)
        if participant is None:
            raise NotFound("There is no such participant.")
        if participant.needs_reconnection:
            raise Conflict("Nothing can be fetched of this participant until they connect Strava again.")
    await add_audit_entry(session, actor, "sync.requested", EVERYBODY if user_id is None else str(user_id))
    requested_by = str(actor.user_id) if actor.user_id else actor.name.removeprefix("key ")
    await emit(
        session,
        SyncRequested(user_id=user_id, reason="organiser", requested_by=requested_by, requested_at=now),
    )
