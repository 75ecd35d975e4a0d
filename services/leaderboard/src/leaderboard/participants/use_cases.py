"""Telling who expired."""

from datetime import datetime

from leaderboard.challenges.queries import list_challenges
from leaderboard.participants import queries
from leaderboard.participants.rules import find_expiry
from shared.contracts.events import ParticipantExpired
from shared.database.engine import Database
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
