"""Telling who expired, what participants choose about themselves, and hiding them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import Change, lock_people
from leaderboard.audit.queries import add_audit_entry
from leaderboard.challenges.queries import list_challenges
from leaderboard.dependencies import Actor
from leaderboard.participants import queries
from leaderboard.participants.rules import find_expiry
from leaderboard.standings.queries import add_version_changes, refresh_listing
from leaderboard.standings.use_cases import update_standings
from leaderboard.teams.use_cases import mark_teams_of
from shared.contracts.events import ParticipantExpired, ParticipantPrivacyChanged, SyncRequested
from shared.database.engine import Database
from shared.errors import NotFound
from shared.messaging.outbox import emit

EXPIRY_BATCH = 500  # people in one transaction
SYNC_INTERVAL = timedelta(minutes=10)  # between two requests of one participant


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


async def choose_private(session: AsyncSession, user_id: UUID, now: datetime, *, count: bool) -> None:
    """Let private activities of a participant count, or not, and have ingest record them or not. Raises NotFound.

    Those that were not recorded yet are fetched at once.
    """
    await lock_people(session, [user_id])
    is_new = await queries.save_private_choice(session, user_id, count=count)
    if is_new is None:
        raise NotFound("There is no such participant.")
    if not is_new:
        return
    days = await queries.list_private_days(session, user_id)
    await update_standings(session, [Change(user_id, day, None) for day in days])
    await emit(session, ParticipantPrivacyChanged(user_id=user_id, private_activities=count, changed_at=now))
    if count:
        await emit(session, _to_sync_request(user_id, now))


async def request_sync(session: AsyncSession, user_id: UUID, now: datetime) -> timedelta | None:
    """Have the activities of a participant fetched; returns how long to wait if it is too early. Raises NotFound."""
    try:
        last = await queries.save_sync_request(session, user_id, now, SYNC_INTERVAL)
    except NoResultFound:
        raise NotFound("There is no such participant.") from None
    if last is not None:
        return last + SYNC_INTERVAL - now
    await emit(session, _to_sync_request(user_id, now))
    return None


async def get_status(session: AsyncSession, user_id: UUID, now: datetime) -> tuple[Row[Any], datetime | None]:
    """What is known of a participant, and from when on they can ask for a fetch, None: now. Raises NotFound."""
    status = await queries.find_status(session, user_id)
    if status is None:
        raise NotFound("There is no such participant.")
    possible_at = status.sync_requested_at and status.sync_requested_at + SYNC_INTERVAL
    return status, possible_at if possible_at and possible_at > now else None


def _to_sync_request(user_id: UUID, now: datetime) -> SyncRequested:
    return SyncRequested(user_id=user_id, reason="participant", requested_by=str(user_id), requested_at=now)


async def choose_listed(session: AsyncSession, user_id: UUID, *, listed: bool) -> None:
    """Take a participant off all boards by their own choice, or put them there again. Raises NotFound."""
    await lock_people(session, [user_id])
    if await queries.save_hidden(session, user_id, "participant", hidden=not listed):
        await _refresh_boards(session, user_id)
    elif await queries.find_participant(session, user_id) is None:
        raise NotFound("There is no such participant.")


async def _refresh_boards(session: AsyncSession, user_id: UUID) -> None:
    await add_version_changes(session, await refresh_listing(session, [user_id]))
    await mark_teams_of(session, user_id)  # of which they are a member even if they have done nothing


async def set_hidden(session: AsyncSession, actor: Actor, user_id: UUID, *, hidden: bool) -> Row[Any]:
    """Hide a participant from all boards, or show them again; returns them as they are now. Raises NotFound."""
    await lock_people(session, [user_id])
    if await queries.save_hidden(session, user_id, "organiser", hidden=hidden):
        await _refresh_boards(session, user_id)
        await add_audit_entry(session, actor, "participant.hidden" if hidden else "participant.shown", str(user_id))
    participant = await queries.find_participant(session, user_id)
    if participant is None:
        raise NotFound("There is no such participant.")
    return participant


async def remove(session: AsyncSession, actor: Actor, user_id: UUID, now: datetime) -> None:
    """Have everything about a participant deleted, wherever it is. Raises NotFound."""
    await lock_people(session, [user_id])
    authorized_at = await queries.find_authorization(session, user_id)
    if authorized_at is None:
        raise NotFound("There is no such participant.")
    await add_audit_entry(session, actor, "participant.removed", str(user_id))
    await emit(session, ParticipantExpired(user_id=user_id, expired_at=now, authorized_at=authorized_at))
