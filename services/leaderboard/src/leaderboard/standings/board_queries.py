"""SQL that reads boards: rows of standings in the order of their index, and sums of daily totals for ranges of days.

Ties share a place and are in the order of names and ids. Only who is listed is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Metric
from leaderboard.standings.rules.ranking import Placed
from leaderboard.standings.rules.scoring import Totals
from leaderboard.standings.rules.windows import MAX_ROWS, DayRange


@dataclass(frozen=True)
class WholeBoard:
    """All days of a version of a board; movements are since the beginning of `today`."""

    version_id: int
    today: date


@dataclass(frozen=True)
class BoardRange:
    """Some days of a version of a board; `by_rest`: made of the totals without the other days, which are fewer."""

    version_id: int
    metric: Metric
    days: DayRange
    by_rest: bool


#: What is ranked.
Ranked: TypeAlias = WholeBoard | BoardRange


@dataclass(frozen=True)
class Window:
    """Rows of a board in their order, how many are listed on it, and how many of those are before the first row."""

    participants: int
    offset: int
    rows: tuple[Placed, ...]


_FIGURES = [field.name for field in fields(Totals)]
_LISTED = "standings.version_id = :version_id and standings.listed"
_ORDER = "value desc, sort_name, user_id"
_LIMIT = "cast(:limit as bigint)"
_ROW = "(sort_name, user_id)"
_MOST_ROWS = (100, MAX_ROWS)

# Everybody who is ranked, as `ranked`. Of a whole board the index has them in their order.
_RANKED = f"""
    ranked as not materialized (select user_id, sort_name, value from standings where {_LISTED})
    """  # noqa: S608 - constants, as all below

# Which of them are read: `shown`, with how many there are and how many of those come first, and `placed`.
_PAGE = "shown as materialized (select count(*) as participants, cast(:offset as bigint) as first from ranked)"
_AROUND = f"""
    own as materialized (select user_id, sort_name, value from ranked where user_id = :user_id),
    found as materialized (
        select (select count(*) from ranked where value > own.value) + (
                select count(*) from ranked
                where value = own.value and {_ROW} < (own.sort_name, own.user_id)) as position,
            (select count(*) from ranked) as participants
        from own),
    shown as materialized (
        select participants, greatest(0, least(position - {_LIMIT} / 2, participants - {_LIMIT})) as first from found)
    """  # noqa: S608
# Only the first rows of a page can have equals on an earlier one.
_PLACED = f"""
    page as materialized (
        select user_id, sort_name, value from (
            select user_id, sort_name, value from ranked
            order by {_ORDER} limit {{most}} offset (select first from shown)) as following
        order by {_ORDER} limit {_LIMIT}),
    head as materialized (select user_id, sort_name, value from page order by {_ORDER} limit 1),
    equals as materialized (
        select count(*) as earlier from ranked
        where value = (select value from head) and {_ROW} < (select sort_name, user_id from head)),
    placed as (
        select user_id, sort_name, value, first + place - case place when 1 then earlier else 0 end as place
        from (select user_id, sort_name, value, rank() over (order by value desc) as place from page) as of_page,
            shown, equals)
    """  # noqa: S608
_SEARCH = f"""
    shown as materialized (select count(*) as participants, 0 as first from ranked),
    placed as (
        select user_id, sort_name, value, place
        from (select user_id, sort_name, value, rank() over (order by value desc) as place from ranked) as everybody
        where sort_name like :pattern order by {_ORDER} limit {_LIMIT})
    """  # noqa: S608

# The figures of who is placed, as `figures`, and the place they had when the day began, as `former`.
_OF_STANDINGS = f"""
    left join (select user_id, {", ".join(_FIGURES)} from standings where {_LISTED}) as figures
        on figures.user_id = placed.user_id
    left join rank_history as former
        on former.version_id = :version_id and former.user_id = placed.user_id and former.day = :today
    """  # noqa: S608
_OF_DAYS = f"""
    left join lateral (
        select {", ".join(f"sum({name}) as {name}" for name in _FIGURES)} from daily_totals
        where version_id = :version_id and user_id = placed.user_id and day between :first_day and :last_day
    ) as figures on true
    left join (select cast(null as integer) as place) as former on true
    """  # noqa: S608

#: The team of everybody in the challenge that the version belongs to.
_TEAMS = """
    select user_id, teams.id as team_id, teams.name as team_name
    from team_memberships join teams on teams.id = team_memberships.team_id
    where team_memberships.challenge_id = (
        select coalesce(boards.challenge_id, board_versions.challenge_id)
        from board_versions left join boards on boards.id = board_versions.board_id
        where board_versions.id = :version_id)
    """

#: The figure of daily totals that ranks a range, as a whole number, and how many of it make one in standings.
_SUMMED = {
    Metric.DISTANCE: ("distance_cm", 100),
    Metric.MOVING_TIME: ("moving_time_s", 1),
    Metric.ELEVATION: ("elev_gain_cm", 100),
    Metric.ACTIVITIES: ("activities", 1),
    Metric.POINTS: ("points_hundredths", 100),
}


async def list_page(session: AsyncSession, ranked: Ranked, limit: int | None, offset: int) -> Window:
    """Rows from that one on; without a limit all of them."""
    found = await _read(session, ranked, f"{_PAGE}, {_place(limit)}", limit=limit, offset=offset)
    return _to_window(found)


async def list_around(session: AsyncSession, ranked: Ranked, user_id: UUID, limit: int) -> Window | None:
    """Rows around that user; None when they are not listed."""
    found = await _read(session, ranked, f"{_AROUND}, {_place(limit)}", limit=limit, user_id=user_id)
    return _to_window(found) if found else None


async def search(session: AsyncSession, ranked: Ranked, pattern: str, limit: int) -> Window:
    """Rows whose case-folded name matches."""
    return _to_window(await _read(session, ranked, _SEARCH, limit=limit, pattern=pattern))


def _place(limit: int | None) -> str:
    """Place that many rows.

    The planner takes a limit that is a parameter for a tenth of what there is, and would plan anew for each request
    because it is fewer. Of a hundred or so a tenth is fewer than what is asked for, so one plan serves them all.
    """
    if limit is None:
        return _PLACED.format(most="all")
    return _PLACED.format(most=next(most for most in _MOST_ROWS if limit <= most))


async def _read(session: AsyncSession, ranked: Ranked, window: str, **parameters: Any) -> Sequence[Row[Any]]:
    if isinstance(ranked, WholeBoard):
        statement = _select(_RANKED, window, _OF_STANDINGS)
        parameters |= {"today": ranked.today}
    else:
        statement = _select(_rank_range(ranked.metric, by_rest=ranked.by_rest), window, _OF_DAYS)
        parameters |= vars(ranked.days)
    return (await session.execute(statement, {"version_id": ranked.version_id, **parameters})).all()


@cache
def _select(ranked: str, window: str, figures: str) -> TextClause:
    """The rows of a window with names, figures and teams; one row without a user when the window is empty."""
    return text(
        f"""
        with {ranked}, {window}
        select participants, first, placed.place, placed.user_id, display_name,
            former.place - placed.place as movement, team_id, team_name,
            {", ".join(f"figures.{name}" for name in _FIGURES)}
        from shown left join placed on true
        left join participants on participants.user_id = placed.user_id
        {figures}
        left join ({_TEAMS}) as team on team.user_id = placed.user_id
        order by placed.value desc, placed.sort_name, placed.user_id
        """  # noqa: S608
    )


def _rank_range(metric: Metric, *, by_rest: bool) -> str:
    """Who has something in a range, by that figure of daily totals alone: the others are read for the window only.

    It is summed as floating point numbers, which are whole and far below 2^53, so that the sums are exact: Postgres
    sums them faster than integers of that size, whose sums are decimals. The days before and after a range are two
    conditions of one scan: of two scans in a union the planner takes the groups for few and starts workers, which
    takes longer.
    """
    column, factor = _SUMMED[metric]
    value = f"sum(cast({column} as float8)) as value"
    own = "version_id = :version_id"
    if by_rest:
        days = f"{own} and day < :first_day or {own} and day > :last_day"
        sums = f"{value}, sum(activities) as activities"
        everything = f"cast(standings.value * {factor} as float8)"
        figures = f"{everything} - coalesce(sums.value, 0) as value from standings left join sums using (user_id)"
        having = f"{_LISTED} and standings.activities > coalesce(sums.activities, 0)"
    else:
        days = f"{own} and day between :first_day and :last_day"
        sums = value
        figures = "sums.value from standings join sums using (user_id)"
        having = _LISTED
    return f"""
        sums as materialized (select user_id, {sums} from daily_totals where {days} group by user_id),
        ranked as materialized (select user_id, sort_name, {figures} where {having})
        """  # noqa: S608


def _to_window(found: Sequence[Row[Any]]) -> Window:
    rows = tuple(_to_placed(row) for row in found if row.user_id is not None)
    return Window(found[0].participants, found[0].first, rows)


def _to_placed(row: Row[Any]) -> Placed:
    # By position: by name, 10,000 rows take three times as long.
    _, _, place, user_id, display_name, movement, team_id, team_name, *figures = tuple(row)
    return Placed(place, user_id, display_name, Totals(*figures), movement, team_id, team_name)
