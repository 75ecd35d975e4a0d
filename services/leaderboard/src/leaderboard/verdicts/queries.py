"""SQL of what is chosen about activities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.leaderboard_api import ActivitySearch

#: Those of the same user that take place at the same time, by any second.
_RIVALS = """(select other.strava_id from activities as own
    join activities as other on other.user_id = own.user_id and other.strava_id <> own.strava_id
        and other.start_at < own.start_at + own.elapsed_time_s * interval '1 second'
        and other.start_at + other.elapsed_time_s * interval '1 second' > own.start_at
    where own.strava_id = :strava_id)"""


_CONDITIONS = {"user_id": "a.user_id = :user_id", "sport_type": "a.sport_type = :sport_type"}


@dataclass(frozen=True)
class Place:
    """Behind which activity a page begins, by when it started and then by id."""

    start: datetime
    strava_id: int


async def save_exclusion(session: AsyncSession, strava_id: int, user_id: UUID, excluded_by: str, reason: str) -> bool:
    """Exclude an activity; false when it was so, by the same for the same reason."""
    saved = await session.execute(
        text(
            """insert into exclusions as t (strava_id, excluded_by, user_id, reason)
               values (:strava_id, :excluded_by, :user_id, :reason)
               on conflict (strava_id, excluded_by) do update set reason = excluded.reason, user_id = excluded.user_id
               where (t.reason, t.user_id) is distinct from (excluded.reason, excluded.user_id)
               returning strava_id"""
        ),
        {"strava_id": strava_id, "excluded_by": excluded_by, "user_id": user_id, "reason": reason},
    )
    return saved.scalar_one_or_none() is not None


async def delete_exclusion(session: AsyncSession, strava_id: int, excluded_by: str) -> bool:
    """Include it again; false when it was not excluded by them."""
    deleted = await session.execute(
        text("delete from exclusions where strava_id = :id and excluded_by = :by returning strava_id"),
        {"id": strava_id, "by": excluded_by},
    )
    return deleted.scalar_one_or_none() is not None


async def prefer(session: AsyncSession, strava_id: int, user_id: UUID) -> bool:
    """Prefer an activity to those that take place at its time, and these no more; false when it was so."""
    await session.execute(
        text(f"delete from preferred_activities where strava_id in {_RIVALS}"),  # noqa: S608
        {"strava_id": strava_id},
    )
    saved = await session.execute(
        text(
            """insert into preferred_activities (strava_id, user_id) values (:strava_id, :user_id)
               on conflict (strava_id) do nothing returning strava_id"""
        ),
        {"strava_id": strava_id, "user_id": user_id},
    )
    return saved.scalar_one_or_none() is not None


async def delete_preference(session: AsyncSession, strava_id: int) -> bool:
    """Prefer it no more; false when it was not preferred."""
    deleted = await session.execute(
        text("delete from preferred_activities where strava_id = :id returning strava_id"), {"id": strava_id}
    )
    return deleted.scalar_one_or_none() is not None


async def list_days(
    session: AsyncSession, user_id: UUID, first_day: date, last_day: date, limit: int
) -> Sequence[Row[Any]]:
    """The latest days with activities of a user, each with how many there are."""
    days = await session.execute(
        text(
            """select local_start::date as day, count(*) as activities from activities
               where user_id = :user_id and not removed and local_start >= cast(:first_day as date)
                 and local_start < cast(:last_day as date) + 1
               group by 1 order by 1 desc limit :limit"""
        ),
        {"user_id": user_id, "first_day": first_day, "last_day": last_day, "limit": limit},
    )
    return days.all()


async def list_exclusion_reasons(session: AsyncSession, user_id: UUID) -> dict[int, str]:
    """Why organisers excluded activities of a user, by Strava id."""
    rows = await session.execute(
        text("select strava_id, reason from exclusions where user_id = :id and excluded_by = 'organiser'"),
        {"id": user_id},
    )
    return {row.strava_id: row.reason for row in rows}


async def search_activities(
    session: AsyncSession, search: ActivitySearch, after: Place | None, limit: int
) -> Sequence[Row[Any]]:
    """Activities on record that are not private, the one that started last first, with who excluded them and why."""
    conditions = [_CONDITIONS[name] for name in ("user_id", "sport_type") if getattr(search, name) is not None]
    if search.suspicious is not None:
        conditions.append("a.suspicions <> '{}'" if search.suspicious else "a.suspicions = '{}'")
    # One bound, because an index scan begins at either of two and not at the nearer one.
    start, strava_id = datetime.combine(search.last_day + timedelta(days=1), time()), 0
    if after is not None:
        start, strava_id = min((start, strava_id), (after.start, after.strava_id))
    asked_for = search.model_dump(include={"user_id", "sport_type", "first_day"}, exclude_none=True)
    found = await session.execute(
        _search_activities(tuple(conditions)),
        {**asked_for, "start": start, "strava_id": strava_id, "limit": limit},
    )
    return found.all()


@cache
def _search_activities(conditions: tuple[str, ...]) -> TextClause:
    """Without what is not asked for, so that the plan is one for what is."""
    return text(
        f"""select a.strava_id, a.user_id, p.display_name, a.sport_type, a.local_start, a.distance_m,
                   a.moving_time_s, a.elapsed_time_s, a.elev_gain_m, a.trainer, a.commute, a.manual, a.flagged,
                   a.suspicions,
                   o.reason as exclusion_reason, o.strava_id is not null as excluded_by_organiser,
                   m.strava_id is not null as excluded_by_participant
            from activities as a left join participants as p on p.user_id = a.user_id
            left join exclusions as o on o.strava_id = a.strava_id and o.excluded_by = 'organiser'
            left join exclusions as m on m.strava_id = a.strava_id and m.excluded_by = 'participant'
            where not a.removed and not a.private
              and (a.local_start, a.strava_id) < (cast(:start as timestamp), :strava_id)
              and a.local_start >= cast(:first_day as date)
              {" ".join(f"and {condition}" for condition in conditions)}
            order by a.local_start desc, a.strava_id desc limit :limit"""  # noqa: S608 - made of the texts above
    )
