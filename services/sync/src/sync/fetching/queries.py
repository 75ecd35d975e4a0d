"""SQL about the outcome of fetches, and about the changes that webhooks told."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from sync.fetching.rules.changes import Change
from sync.tables import AthleteRow

MAX_CHANGES = 500  # of one athlete in one run


async def mark_listed(session: AsyncSession, user_id: UUID, began_at: datetime, since: datetime) -> None:
    """Store that everything since then was listed, by a listing that began at `began_at`."""
    await session.execute(
        update(AthleteRow)
        .where(AthleteRow.user_id == user_id)
        .values(
            last_synced_at=func.greatest(AthleteRow.last_synced_at, began_at),
            listed_since=since,
            last_fetched_at=func.greatest(AthleteRow.last_fetched_at, began_at),
            last_error=None,
            last_error_at=None,
        )
    )


async def mark_fetched(session: AsyncSession, user_id: UUID, now: datetime) -> None:
    """Store that something was fetched."""
    await session.execute(
        update(AthleteRow)
        .where(AthleteRow.user_id == user_id)
        .values(last_fetched_at=now, last_error=None, last_error_at=None)
    )


async def mark_failed(
    session: AsyncSession, user_id: UUID, error: str, now: datetime, *, needs_reconnect: bool
) -> None:
    """Store why the last fetch failed, and whether the athlete has to connect again."""
    values: dict[str, object] = {"last_error": error, "last_error_at": now}
    if needs_reconnect:
        values["status"] = "needs_reconnect"
    await session.execute(update(AthleteRow).where(AthleteRow.user_id == user_id).values(**values))


async def list_changes(session: AsyncSession, athlete_id: int) -> dict[int, Change]:
    """What is pending of an athlete, by activity; of too much the oldest."""
    rows = await session.execute(
        text(
            """select strava_id, bool_or(aspect = 'create') as is_created,
                   (array_agg(aspect order by event_time desc, id desc))[1] = 'delete' as is_deleted,
                   max(event_time) as told_at, max(tries) as tries, max(id) as last_event_id
               from webhook_events where athlete_id = :athlete_id and handled_at is null
               group by strava_id order by min(id) limit :limit"""
        ),
        {"athlete_id": athlete_id, "limit": MAX_CHANGES},
    )
    return {
        row.strava_id: Change(
            row.strava_id,
            row.is_created,
            row.is_deleted,
            datetime.fromtimestamp(row.told_at, UTC),
            row.tries,
            row.last_event_id,
        )
        for row in rows
    }


async def mark_handled(
    session: AsyncSession, athlete_id: int, strava_ids: Collection[int], last_event_id: int, now: datetime
) -> None:
    """What was told of these activities until that event is done."""
    await session.execute(
        text(
            """update webhook_events set handled_at = :now where athlete_id = :athlete_id and handled_at is null
               and strava_id = any(:strava_ids) and id <= :last_event_id"""
        ),
        {
            "athlete_id": athlete_id,
            "strava_ids": list(strava_ids),
            "last_event_id": last_event_id,
            "now": now,
        },
    )


async def count_tries(session: AsyncSession, athlete_id: int, strava_ids: Collection[int]) -> None:
    """These activities could not be read once more."""
    await session.execute(
        text(
            """update webhook_events set tries = tries + 1 where athlete_id = :athlete_id and handled_at is null
               and strava_id = any(:strava_ids)"""
        ),
        {"athlete_id": athlete_id, "strava_ids": list(strava_ids)},
    )


async def has_changes(session: AsyncSession, athlete_id: int) -> bool:
    """Whether anything is pending of an athlete."""
    pending = "select exists (select from webhook_events where athlete_id = :athlete_id and handled_at is null)"
    return bool(await session.scalar(text(pending), {"athlete_id": athlete_id}))
