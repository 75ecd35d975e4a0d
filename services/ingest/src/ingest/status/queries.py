"""SQL of what operators ask about the record."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession


async def count_activities(session: AsyncSession) -> Row[Any]:
    """How many activities are in which state, in one row."""
    counted = await session.execute(
        text(
            """select count(*) filter (where state = 'recorded') as recorded,
                      count(*) filter (where state = 'rejected') as rejected,
                      count(*) filter (where state = 'private') as private,
                      count(*) filter (where state = 'removed') as removed,
                      count(*) filter (where flagged) as flagged,
                      count(*) filter (where cardinality(suspicions) > 0) as suspicious,
                      count(*) filter (where cardinality(overlaps_with) > 0) as overlapping,
                      count(distinct user_id) as people
               from activities"""
        )
    )
    return counted.one()


async def find_activity(session: AsyncSession, strava_id: int) -> Row[Any] | None:
    """What is known of an activity."""
    found = await session.execute(
        text(
            """select activities.*, rejected.reason as rejection from activities
               left join rejected using (strava_id) where activities.strava_id = :id"""
        ),
        {"id": strava_id},
    )
    return found.one_or_none()


async def list_versions(session: AsyncSession, strava_id: int, limit: int) -> Sequence[Row[Any]]:
    """The earlier versions of an activity, the latest first."""
    rows = await session.execute(
        text("select * from activity_versions where strava_id = :id order by version desc limit :limit"),
        {"id": strava_id, "limit": limit},
    )
    return rows.all()


async def list_rejected(session: AsyncSession, after: int, limit: int) -> Sequence[Row[Any]]:
    """Rejected activities by id, with what Strava said of them."""
    rows = await session.execute(
        text("select * from rejected where strava_id > :after order by strava_id limit :limit"),
        {"after": after, "limit": limit},
    )
    return rows.all()


async def count_rejections(session: AsyncSession) -> Sequence[Row[Any]]:
    """How many activities are rejected for which reason, the commonest first."""
    rows = await session.execute(
        text("select reason, count(*) as activities from rejected group by reason order by 2 desc, 1 limit 50")
    )
    return rows.all()
