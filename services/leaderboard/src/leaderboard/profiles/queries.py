"""SQL of what is shown of one participant."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession


async def find_participant(session: AsyncSession, challenge_id: int, user_id: UUID) -> Row[Any] | None:
    """Name, team in that challenge, and whether they are hidden."""
    found = await session.execute(
        text(
            """select p.display_name, teams.id as team_id, teams.name as team_name,
                      p.hidden_by_participant or p.hidden_by_organiser as is_hidden
               from participants as p
               left join team_memberships as m on m.user_id = p.user_id and m.challenge_id = :challenge_id
               left join teams on teams.id = m.team_id
               where p.user_id = :user_id and p.athlete_id is not null"""
        ),
        {"challenge_id": challenge_id, "user_id": user_id},
    )
    return found.one_or_none()


async def list_figures(session: AsyncSession, user_id: UUID, version_ids: Collection[int]) -> dict[int, Row[Any]]:
    """What a user has on each of these versions, with their place there; None for who is not listed."""
    rows = await session.execute(
        text(
            """select s.version_id, s.distance_m, s.moving_time_s, s.elev_gain_m, s.activities, s.points,
                      case when s.listed then 1 + (
                          select count(*) from standings as others
                          where others.version_id = s.version_id and others.listed and others.value > s.value)
                      end as place
               from standings as s where s.user_id = :user_id and s.version_id = any(:ids)"""
        ),
        {"user_id": user_id, "ids": list(version_ids)},
    )
    return {row.version_id: row for row in rows}


async def list_days(session: AsyncSession, user_id: UUID, version_ids: Collection[int]) -> Sequence[Row[Any]]:
    """What a user has on each day on these versions, in order."""
    rows = await session.execute(
        text(
            """select version_id, day, distance_m, moving_time_s, elev_gain_m, activities, points from daily_totals
               where user_id = :user_id and version_id = any(:ids) order by day, version_id"""
        ),
        {"user_id": user_id, "ids": list(version_ids)},
    )
    return rows.all()
