"""SQL that reads boards: rows of standings in the order of their index, and sums of daily totals for ranges of days.

Ties share a place and are in the order of names and ids. Only who is listed is read.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Metric
from leaderboard.standings.rules.ranking import Placed
from leaderboard.standings.rules.scoring import Totals
from leaderboard.standings.rules.windows import DayRange

_FIGURES = [field.name for field in fields(Totals)]
_LISTED = "standings.version_id = :version_id and standings.listed"
_ORDER = "value desc, sort_name, user_id"
_LIMIT = "cast(:limit as bigint)"
#: Where a window begins in whose middle that position is, if there are rows enough.
_WINDOW_START = f"greatest(0, least(position - {_LIMIT} / 2, participants - {_LIMIT}))"

#: The team of everybody in the challenge that the version belongs to.
_TEAMS = """
    select user_id, teams.id as team_id, teams.name as team_name
    from team_memberships join teams on teams.id = team_memberships.team_id
    where team_memberships.challenge_id = (
        select coalesce(boards.challenge_id, board_versions.challenge_id)
        from board_versions left join boards on boards.id = board_versions.board_id
        where board_versions.id = :version_id)
    """

_count_listed = text(f"select count(*) from standings where {_LISTED}")  # noqa: S608 - constants, as all below
_find_window = text(
    f"""
    with own as materialized (select value, sort_name, user_id from standings where {_LISTED} and user_id = :user_id)
    select {_WINDOW_START} as start, participants from (
        select (select count(*) from standings where {_LISTED} and value > (select value from own))
            + (select count(*) from standings where {_LISTED} and value = (select value from own)
               and (sort_name, user_id) < (select sort_name, user_id from own)) as position,
            (select count(*) from standings where {_LISTED}) as participants
        where exists (select from own)) as place
    """  # noqa: S608
)


def _with_figures(placed: str) -> TextClause:
    """What is placed, with names, figures, and the movement since the day began."""
    return text(
        f"""
        select placed.place, user_id, display_name, {", ".join(f"standings.{name}" for name in _FIGURES)},
            former.place - placed.place as movement, team_id, team_name,
            coalesce(cast(:participants as bigint), (select count(*) from standings where {_LISTED})) as participants
        from ({placed}) as placed join standings using (user_id) join participants using (user_id)
        left join (select user_id, place from rank_history where version_id = :version_id and day = :today) as former
            using (user_id)
        left join ({_TEAMS}) as team using (user_id)
        where {_LISTED}
        order by standings.value desc, standings.sort_name, user_id
        """  # noqa: S608
    )


# Only the first rows of a page can have equals on an earlier one: how many are above those is counted by index.
_list_page = _with_figures(
    f"""
    with page as materialized (
        select user_id, value from standings where {_LISTED} order by {_ORDER}
        limit {_LIMIT} offset cast(:offset as bigint)),
    ranked as (select user_id, rank() over (order by value desc) as ahead from page)
    select user_id, case ahead
        when 1 then 1 + (select count(*) from standings where {_LISTED} and value > (select max(value) from page))
        else ahead + cast(:offset as bigint) end as place
    from ranked
    """  # noqa: S608
)
_search = _with_figures(
    f"""
    select user_id, place from (
        select value, sort_name, user_id, rank() over (order by value desc) as place
        from standings where {_LISTED}) as everybody
    where sort_name like :pattern order by {_ORDER} limit {_LIMIT}
    """  # noqa: S608
)

# The windows of a range, whose rows are numbered by `position` from 0 on.
_PAGE = f"order by position limit {_LIMIT} offset cast(:offset as bigint)"
_AROUND = f"""cross join (select {_WINDOW_START} as first from placed as own where own.user_id = :user_id) as start
    where position >= first and position < first + {_LIMIT}"""  # noqa: S608
_SEARCH = f"where sort_name like :pattern order by position limit {_LIMIT}"

#: The figure of daily totals that ranks a range, as a whole number, and how many of it make one in standings.
_SUMMED = {
    Metric.DISTANCE: ("distance_cm", 100),
    Metric.MOVING_TIME: ("moving_time_s", 1),
    Metric.ELEVATION: ("elev_gain_cm", 100),
    Metric.ACTIVITIES: ("activities", 1),
    Metric.POINTS: ("points_hundredths", 100),
}
_sum_figures = text(
    f"""
    select user_id, {", ".join(f"sum({name}) as {name}" for name in _FIGURES)} from daily_totals
    where version_id = :version_id and user_id = any(:user_ids) and day between :first_day and :last_day
    group by user_id
    """  # noqa: S608
)


@dataclass(frozen=True)
class RankedRange:
    """Some days of a version of a board; `by_rest`: made of the totals without the other days, which are fewer."""

    version_id: int
    metric: Metric
    days: DayRange
    by_rest: bool


@dataclass(frozen=True)
class Window:
    """Rows of a board in their order, how many are listed on it, and how many of those are before the first row."""

    participants: int
    offset: int
    rows: tuple[Placed, ...]


async def list_around(
    session: AsyncSession, version_id: int, today: date, user_id: UUID, limit: int
) -> Window | None:
    """Rows around that user; None when they are not listed."""
    found = await session.execute(_find_window, {"version_id": version_id, "user_id": user_id, "limit": limit})
    window = found.one_or_none()
    if window is None:
        return None
    return await list_page(session, version_id, today, limit, window.start, participants=window.participants)


async def list_page(
    session: AsyncSession,
    version_id: int,
    today: date,
    limit: int | None,
    offset: int,
    *,
    participants: int | None = None,
) -> Window:
    """Rows from that one on; without a limit all of them. `participants` are counted unless that was done."""
    parameters = {"version_id": version_id, "today": today, "limit": limit, "offset": offset}
    return await _read(session, _list_page, {**parameters, "participants": participants}, offset)


async def search(session: AsyncSession, version_id: int, today: date, pattern: str, limit: int) -> Window:
    """Rows whose case-folded name matches."""
    parameters = {"version_id": version_id, "today": today, "pattern": pattern, "limit": limit}
    return await _read(session, _search, {**parameters, "participants": None})


async def _read(session: AsyncSession, statement: TextClause, parameters: dict[str, Any], offset: int = 0) -> Window:
    found = (await session.execute(statement, parameters)).all()
    if found:
        return Window(found[0].participants, offset, tuple(map(_to_placed, found)))
    counted = await session.execute(_count_listed, {"version_id": parameters["version_id"]})
    return Window(counted.scalar_one(), offset, ())


async def list_range_page(session: AsyncSession, ranked: RankedRange, limit: int | None, offset: int) -> Window:
    """Rows of a range from that one on; without a limit all of them."""
    return replace(await _read_range(session, ranked, _PAGE, limit=limit, offset=offset), offset=offset)


async def list_range_around(session: AsyncSession, ranked: RankedRange, user_id: UUID, limit: int) -> Window | None:
    """Rows of a range around that user; None when they are not in it."""
    window = await _read_range(session, ranked, _AROUND, limit=limit, user_id=user_id)
    return window if window.rows else None


async def search_range(session: AsyncSession, ranked: RankedRange, pattern: str, limit: int) -> Window:
    """Rows of a range whose case-folded name matches."""
    return replace(await _read_range(session, ranked, _SEARCH, limit=limit, pattern=pattern), offset=0)


async def _read_range(session: AsyncSession, ranked: RankedRange, window: str, **parameters: Any) -> Window:
    of_version = {"version_id": ranked.version_id, **vars(ranked.days)}
    statement = _rank_range(ranked.metric, window, by_rest=ranked.by_rest)
    found = (await session.execute(statement, {**of_version, **parameters})).all()
    placed = {row.user_id: row for row in found if row.user_id is not None}
    totals = await _sum_range(session, of_version, placed) if placed else {}
    rows = tuple(
        Placed(row.place, row.user_id, row.display_name, totals[row.user_id], None, row.team_id, row.team_name)
        for row in placed.values()
    )
    return Window(found[0].participants, found[0].position or 0, rows)


@cache
def _rank_range(metric: Metric, window: str, *, by_rest: bool) -> TextClause:
    """Who has something in a range, by that figure of daily totals alone: the others are read for the window only.

    The days before and after a range are two conditions of one scan: of two scans in a union the planner takes the
    groups for few and starts workers, which takes longer. There is a row without a user when the window is empty.
    """
    column, factor = _SUMMED[metric]
    value = f"cast(sum({column}) as bigint) as value"
    own = "version_id = :version_id"
    if by_rest:
        days = f"{own} and day < :first_day or {own} and day > :last_day"
        sums = f"{value}, sum(activities) as activities"
        everything = f"cast(standings.value * {factor} as bigint)"
        figures = f"{everything} - coalesce(sums.value, 0) as value from standings left join sums using (user_id)"
        having = f"{_LISTED} and standings.activities > coalesce(sums.activities, 0)"
    else:
        days = f"{own} and day between :first_day and :last_day"
        sums = value
        figures = "sums.value from standings join sums using (user_id)"
        having = _LISTED
    return text(
        f"""
        with sums as materialized (
            select user_id, {sums} from daily_totals where {days} group by user_id),
        ranked as (select user_id, sort_name, {figures} where {having}),
        placed as materialized (
            select user_id, sort_name, rank() over (order by value desc) as place,
                row_number() over (order by {_ORDER}) - 1 as position
            from ranked),
        listed as (select count(*) as participants from placed)
        select participants, position, place, shown.user_id, display_name, team_id, team_name
        from listed left join lateral (select placed.* from placed {window}) as shown on true
        left join participants on participants.user_id = shown.user_id
        left join ({_TEAMS}) as team on team.user_id = shown.user_id
        order by position
        """  # noqa: S608
    )


async def _sum_range(
    session: AsyncSession, of_version: dict[str, Any], user_ids: Collection[UUID]
) -> dict[UUID, Totals]:
    sums = await session.execute(_sum_figures, {**of_version, "user_ids": list(user_ids)})
    return {row.user_id: _to_totals(row) for row in sums}


def _to_placed(row: Row[Any]) -> Placed:
    totals = _to_totals(row)
    return Placed(row.place, row.user_id, row.display_name, totals, row.movement, row.team_id, row.team_name)


def _to_totals(row: Row[Any]) -> Totals:
    return Totals(**{name: getattr(row, name) for name in _FIGURES})
