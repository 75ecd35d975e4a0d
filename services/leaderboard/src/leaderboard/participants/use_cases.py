"""Telling who expired, and hiding participants."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import lock_people
from leaderboard.audit.queries import add_audit_entry
from leaderboard.challenges.queries import list_challenges
from leaderboard.dependencies import Actor
from leaderboard.participants import queries
from leaderboard.participants.rules import find_expiry
from leaderboard.standings.queries import add_version_changes, refresh_listing
from shared.contracts.events import ParticipantExpired
from shared.database.engine import Database
from shared.errors import NotFound
from shared.messaging.outbox import emit

EXPIRY_BATCH = 500  # people in one transaction


async def expire_participants(database: Database, now: datetime) -> bool:
    """Mark a batch of those who expire and emit that; returns whether there may be more of them."""
    async with database.transaction() as session:
        authorized_before = find_expiry(await list_challenges(session), now)
        if authorized_before is None:
            return False
        expired = await queries.expire_participants(session, authorized_before, now, EXPIRY_BATCH)
        events = [
            ParticipantExpired(user_id=user_id, expired_at=now, authorized_at=authorized_at)
            for user_id, authorized_at in expired.items()
        ]
        await emit(session, *events)
    return len(expired) == EXPIRY_BATCH


async def set_hidden(session: AsyncSession, actor: Actor, user_id: UUID, *, hidden: bool) -> Row[Any]:
    """Hide a participant from all boards, or show them again; returns them as they are now. Raises NotFound."""
    await lock_people(session, [user_id])
    if await queries.save_hidden(session, user_id, hidden=hidden):
        await add_version_changes(session, await refresh_listing(session, [user_id]))
        await add_audit_entry(session, actor, "participant.hidden" if hidden else "participant.shown", str(user_id))
    participant = await queries.find_participant(session, user_id)
    if participant is None:
        raise NotFound("There is no such participant.")
    return participant
