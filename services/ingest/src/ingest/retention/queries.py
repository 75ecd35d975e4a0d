"""SQL of what is not kept any more."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

#: Of what is not on record no start is kept. An older fetch of it is older than `seen_at`, and so was its start.
_EXPIRED = """(state = 'recorded' and start_at < :before or state <> 'recorded' and seen_at < :before)"""


@dataclass(frozen=True)
class Retention:
    """Before which start nothing is kept, and up to when everything of that is deleted already."""

    before: datetime
    purged_before: datetime | None


async def save_retention(session: AsyncSession, before: datetime, advanced_at: datetime) -> None:
    """Store before which start nothing is kept, unless something later was said of it."""
    await session.execute(
        text(
            """insert into retention as t (id, before, advanced_at) values (1, :before, :advanced_at)
               on conflict (id) do update set before = excluded.before, advanced_at = excluded.advanced_at
               where t.advanced_at < excluded.advanced_at"""
        ),
        {"before": before, "advanced_at": advanced_at},
    )


async def find_retention(session: AsyncSession) -> Retention | None:
    """Before which start nothing is kept; None when nobody has said so."""
    row = (await session.execute(text("select before, purged_before from retention"))).one_or_none()
    return None if row is None else Retention(row.before, row.purged_before)


async def mark_purged(session: AsyncSession, before: datetime) -> None:
    """Everything that started before then is deleted."""
    await session.execute(text("update retention set purged_before = :before"), {"before": before})


async def list_expired(session: AsyncSession, before: datetime, limit: int) -> dict[int, UUID]:
    """Some activities that are not kept any more, and whose they are."""
    rows = await session.execute(
        text(f"select strava_id, user_id from activities where {_EXPIRED} limit :limit"),  # noqa: S608 - a constant
        {"before": before, "limit": limit},
    )
    return {row.strava_id: row.user_id for row in rows}


async def delete_expired(session: AsyncSession, strava_ids: Collection[int], before: datetime) -> Sequence[Row[Any]]:
    """Delete those of them that are still not kept, with all that is known of them; returns where they were."""
    parameters = {"ids": sorted(strava_ids), "before": before}
    deleted = await session.execute(
        text(
            f"""delete from activities where strava_id = any(cast(:ids as bigint[])) and {_EXPIRED}
                returning strava_id, state, null::uuid as message_id, user_id as old_user_id,
                    start_at as old_start_at, cardinality(overlaps_with) > 0 as had_overlaps"""  # noqa: S608 - a constant
        ),
        parameters,
    )
    rows = deleted.all()
    await session.execute(
        text("delete from rejected where strava_id = any(cast(:ids as bigint[]))"),
        {"ids": sorted(row.strava_id for row in rows)},
    )
    return rows


async def delete_expired_rejections(session: AsyncSession, before: datetime) -> int:
    """Forget what Strava said of activities that could not be read, but that they were there; returns how many."""
    forgotten = await session.execute(
        text(
            """with gone as (delete from rejected where start_at < :before returning strava_id)
               update activities set state = 'removed' from gone
               where activities.strava_id = gone.strava_id and state = 'rejected' returning gone.strava_id"""
        ),
        {"before": before},
    )
    return len(forgotten.all())


async def delete_listings(session: AsyncSession, before: datetime) -> int:
    """Delete listings that say nothing of what is kept."""
    deleted = await session.execute(
        text("delete from listings where until < :before returning user_id"), {"before": before}
    )
    return len(deleted.all())


async def count_expired(session: AsyncSession, before: datetime) -> dict[str, int]:
    """State -> how many activities are still here that are not kept."""
    rows = await session.execute(
        text(f"select state, count(*) as activities from activities where {_EXPIRED} group by state"),  # noqa: S608 - a constant
        {"before": before},
    )
    counts = {row.state: row.activities for row in rows}
    known = await session.execute(
        text(
            """select count(*) from rejected join activities using (strava_id)
               where rejected.start_at < :before and seen_at >= :before"""
        ),
        {"before": before},
    )
    return counts | {"rejected": counts.get("rejected", 0) + known.scalar_one()}
