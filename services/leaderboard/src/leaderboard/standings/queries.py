"""SQL of daily totals and standings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Metric
from leaderboard.standings.rules.scoring import Totals
from leaderboard.tables import DailyTotalRow, MilestoneChangeRow, StandingRow
from shared.database.bulk import batch_of, to_columns

#: A version's row id, a user, and a local day.
DayKey: TypeAlias = tuple[int, UUID, date]

#: The figure that a board ranks by; `Totals.value` says the same in Python.
RANKED_COLUMNS = {
    Metric.DISTANCE: "distance_m",
    Metric.MOVING_TIME: "moving_time_s",
    Metric.ELEVATION: "elev_gain_m",
    Metric.ACTIVITIES: "activities",
    Metric.POINTS: "points",
}
_FIGURES = [field.name for field in fields(Totals)]
_DAY = ["version_id", "user_id", "day"]
_STANDING = ["version_id", "user_id", "value", *_FIGURES]

_select_all_days = text(
    f"""select version_id, user_id, day, {", ".join(_FIGURES)} from daily_totals
        where user_id = any(:user_ids) and version_id = any(:version_ids)"""  # noqa: S608
)
#: Of a participant: whether boards show them.
_LISTED = "not (participants.hidden_by_participant or participants.hidden_by_organiser)"
_RANKED = " ".join(f"when '{metric}' then added.{column}" for metric, column in RANKED_COLUMNS.items())
# In one statement, so that what was there before is neither asked for nor sent back to be subtracted.
_save_totals = text(
    f"""
    with saved as (
        insert into daily_totals as t ({", ".join([*_DAY, *_FIGURES])})
        select batch.* from {batch_of(DailyTotalRow, [*_DAY, *_FIGURES])}
        on conflict (user_id, day, version_id) do update
        set {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}
        where ({", ".join(f"t.{name}" for name in _FIGURES)})
            is distinct from ({", ".join(f"excluded.{name}" for name in _FIGURES)})
        returning {", ".join(f"new.{name}" for name in _DAY)},
            {", ".join(f"new.{name} - coalesce(old.{name}, 0) as {name}" for name in _FIGURES)}),
    gone as (
        delete from daily_totals as t using unnest(
            cast(:gone_version_ids as bigint[]), cast(:gone_user_ids as uuid[]), cast(:gone_days as date[])
        ) as batch ({", ".join(_DAY)})
        where {" and ".join(f"t.{name} = batch.{name}" for name in _DAY)}
        returning {", ".join(f"t.{name}" for name in _DAY)}, {", ".join(f"- t.{name}" for name in _FIGURES)}),
    added as (
        select version_id, user_id, min(day) as first_day, {", ".join(f"sum({name}) as {name}" for name in _FIGURES)}
        from (select * from saved union all select * from gone) as each group by version_id, user_id),
    changed as (
        insert into standings as t (listed, sort_name, {", ".join(_STANDING)})
        select coalesce({_LISTED}, false), coalesce(participants.sort_name, ''), added.version_id, added.user_id,
            case board_versions.metric {_RANKED} end, {", ".join(f"added.{name}" for name in _FIGURES)}
        from added join board_versions on board_versions.id = added.version_id
        left join participants on participants.user_id = added.user_id
        order by added.user_id, added.version_id
        on conflict (user_id, version_id) do update
        set {", ".join(f"{name} = t.{name} + excluded.{name}" for name in ["value", *_FIGURES])}
        returning new.version_id, new.user_id, coalesce(old.value, 0) as before, new.value as after, new.activities)
    select changed.*, first_day from changed join added using (version_id, user_id)
    """  # noqa: S608 - made of the names of columns and of metrics
)
_delete_empty = text(
    f"""delete from standings as t using {batch_of(StandingRow, ["version_id", "user_id"])}
        where t.user_id = batch.user_id and t.version_id = batch.version_id and t.activities = 0"""  # noqa: S608
)
_refresh_listing = text(
    f"""update standings set listed = {_LISTED}, sort_name = participants.sort_name
        from participants where participants.user_id = any(:ids) and standings.user_id = participants.user_id
        returning standings.version_id"""  # noqa: S608 - a constant
)
_MILESTONE_CHANGE = ["board_id", "user_id", "first_day"]
_add_milestone_changes = text(
    f"""insert into milestone_changes ({", ".join(_MILESTONE_CHANGE)})
        select batch.* from {batch_of(MilestoneChangeRow, _MILESTONE_CHANGE)}"""  # noqa: S608
)
_count_request = text("update recalculations set requests = requests + 1 where user_id = any(:ids) returning user_id")
_add_recalculations = text(
    """insert into recalculations (user_id) select unnest(cast(:ids as uuid[]))
       on conflict (user_id) do update set requests = recalculations.requests + 1"""
)
_finish_recalculation = text(
    """update recalculations set version_id = :version_id where user_id = :user_id
       returning requests = :requests as is_last"""
)

# By version, because that is what the primary key begins with.
_erase_places = text(
    """delete from rank_history
       where version_id = any(array(select id from board_versions)) and user_id = any(:ids)"""
)
_begin_places = text(
    """update challenges set placed_on = :day where id = :challenge_id and placed_on is distinct from :day
       returning id"""
)
_insert_places = text(
    """insert into rank_history (version_id, user_id, day, place)
       select version_id, user_id, cast(:day as date), rank() over (partition by version_id order by value desc)
       from standings join board_versions on board_versions.id = version_id and state = 'live' and threshold is null
       join boards on boards.id = board_id and boards.challenge_id = :challenge_id
       where listed on conflict do nothing"""
)
_delete_places = text(
    """delete from rank_history using board_versions, boards
       where version_id = board_versions.id and boards.id = board_id
           and boards.challenge_id = :challenge_id and day < :before"""
)


@dataclass(frozen=True)
class ChangedStanding:
    """What a user had on a version and has now, in the figure that it ranks by, and the earliest day that changed."""

    version_id: int
    user_id: UUID
    before: Decimal
    after: Decimal
    first_day: date


@dataclass(frozen=True)
class MilestoneChange:
    """What a user has in a milestone changed on that day and maybe on later ones."""

    board_id: int
    user_id: UUID
    first_day: date


@dataclass(frozen=True)
class Recalculation:
    """Somebody whose standings are to be computed, and how often that was requested."""

    user_id: UUID
    requests: int


async def get_all_daily_totals(
    session: AsyncSession, version_ids: Collection[int], user_ids: Collection[UUID]
) -> dict[DayKey, Totals]:
    """What these users have on these versions on any day."""
    parameters = {"version_ids": list(version_ids), "user_ids": list(user_ids)}
    rows = await session.execute(_select_all_days, parameters)
    return {(row.version_id, row.user_id, row.day): Totals(*row[3:]) for row in rows}


async def save_totals(
    session: AsyncSession, totals: Mapping[DayKey, Totals], gone: Iterable[DayKey]
) -> list[ChangedStanding]:
    """Save the totals of days, delete those that are gone, and add the differences to the standings.

    Returns the standings of whom a day is other than before. In the order in which everybody locks them; standings
    without activities are deleted. The caller holds the locks of the users.
    """
    kept = sorted(totals.items(), key=_lock_order)
    deleted = list(gone)
    changed = await session.execute(
        _save_totals,
        {
            **{name: [key[at] for key, _ in kept] for at, name in enumerate(_DAY)},
            **{name: [getattr(each, name) for _, each in kept] for name in _FIGURES},
            **{f"gone_{name}s": [key[at] for key in deleted] for at, name in enumerate(_DAY)},
        },
    )
    rows = changed.all()
    if empty := [dict(row._mapping) for row in rows if not row.activities]:
        await session.execute(_delete_empty, to_columns(empty, ["version_id", "user_id"]))
    return [ChangedStanding(row.version_id, row.user_id, row.before, row.after, row.first_day) for row in rows]


def _lock_order(item: tuple[DayKey, Totals]) -> tuple[UUID, date, int]:
    (version_id, user_id, day), _ = item
    return user_id, day, version_id


async def refresh_listing(session: AsyncSession, user_ids: Collection[UUID]) -> set[int]:
    """Let the standings of these participants know their names and whether they are shown; returns on which versions.

    The caller holds their locks.
    """
    return set((await session.execute(_refresh_listing, {"ids": list(user_ids)})).scalars())


async def erase_standings(session: AsyncSession, user_ids: Collection[UUID]) -> set[int]:
    """Delete the totals and the standings of these users; returns the versions on which they were.

    Rows of `milestone_changes` are left to the task, which takes them before it waits for anybody's lock.
    """
    ids = {"ids": list(user_ids)}
    await session.execute(text("delete from recalculations where user_id = any(:ids)"), ids)
    await session.execute(text("delete from daily_totals where user_id = any(:ids)"), ids)
    await session.execute(text("delete from milestones_reached where user_id = any(:ids)"), ids)
    await session.execute(text("update final_standings set user_id = null where user_id = any(:ids)"), ids)
    await session.execute(_erase_places, ids)
    gone = await session.execute(text("delete from standings where user_id = any(:ids) returning version_id"), ids)
    return set(gone.scalars())


async def count_requests(session: AsyncSession, user_ids: Collection[UUID]) -> set[UUID]:
    """Request once more the recalculation of those who wait for one anyway; returns who they are."""
    return set((await session.execute(_count_request, {"ids": sorted(user_ids)})).scalars())


async def add_recalculations(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Request that the standings of these users are computed by the task."""
    await session.execute(_add_recalculations, {"ids": sorted(user_ids)})


async def find_recalculation(session: AsyncSession, before: datetime) -> Recalculation | None:
    """The one that was requested first, if that was before then."""
    found = await session.execute(
        text(
            """select user_id, requests from recalculations where requested_at < :before
               order by requested_at, user_id limit 1"""
        ),
        {"before": before},
    )
    row = found.one_or_none()
    return Recalculation(row.user_id, row.requests) if row else None


async def finish_recalculation(session: AsyncSession, done: Recalculation, version_id: int) -> bool:
    """Note that it is done for versions up to that one; false when somebody was erased meanwhile.

    One that was requested again meanwhile is left, behind the others.
    """
    parameters = {"user_id": done.user_id, "requests": done.requests, "version_id": version_id}
    is_last = (await session.execute(_finish_recalculation, parameters)).scalar_one_or_none()
    statement = (
        "delete from recalculations where user_id = :user_id"
        if is_last
        else "update recalculations set requested_at = now() where user_id = :user_id"
    )
    await session.execute(text(statement), {"user_id": done.user_id})
    return is_last is not None


async def add_board_changes(session: AsyncSession, board_ids: Collection[int]) -> None:
    """Note that these boards changed, to be announced after the commit."""
    await session.execute(
        text("insert into board_changes (board_id) select unnest(cast(:ids as integer[]))"),
        {"ids": sorted(board_ids)},
    )


async def add_milestone_changes(session: AsyncSession, changes: Sequence[MilestoneChange]) -> None:
    """Note that what these users have in these milestones changed, to be looked at after the commit."""
    await session.execute(_add_milestone_changes, to_columns(map(vars, changes), _MILESTONE_CHANGE))


async def add_version_changes(session: AsyncSession, version_ids: Collection[int]) -> None:
    """Note that the boards changed of which these are live versions."""
    await session.execute(
        text(
            """insert into board_changes (board_id) select board_id from board_versions
               where id = any(:ids) and state = 'live' and board_id is not null order by 1"""
        ),
        {"ids": list(version_ids)},
    )


async def take_board_changes(session: AsyncSession, limit: int) -> set[int]:
    """Which boards changed since somebody was told; what another replica is announcing is left to it."""
    taken = await session.execute(
        text(
            """delete from board_changes where id = any(array(
                 select id from board_changes order by id limit :limit for update skip locked))
               returning board_id"""
        ),
        {"limit": limit},
    )
    return set(taken.scalars())


async def save_places(session: AsyncSession, challenge_id: int, day: date) -> bool:
    """Write down everybody's places in a challenge at the begin of that day; false when that was done.

    The caller holds the lock of scoring, so that nobody is erased and no version replaced meanwhile.
    """
    parameters = {"challenge_id": challenge_id, "day": day}
    if (await session.execute(_begin_places, parameters)).scalar_one_or_none() is None:
        return False
    await session.execute(_insert_places, parameters)
    return True


async def delete_places(session: AsyncSession, challenge_id: int, before: date) -> None:
    """Delete the places of earlier days in a challenge."""
    await session.execute(_delete_places, {"challenge_id": challenge_id, "before": before})


async def forget_places(session: AsyncSession, challenge_id: int) -> None:
    """Note that no places are left in a challenge."""
    forget = text("update challenges set placed_on = null where id = :challenge_id")
    await session.execute(forget, {"challenge_id": challenge_id})
