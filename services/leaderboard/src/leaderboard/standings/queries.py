"""SQL of daily totals and standings."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.standings.rules.scoring import Totals
from leaderboard.tables import DailyTotalRow, StandingRow
from shared.database.bulk import batch_of, to_columns

#: A version's row id, a user, and a local day.
DayKey: TypeAlias = tuple[int, UUID, date]

_FIGURES = [field.name for field in fields(Totals)]
_DAY = ["version_id", "user_id", "day"]
_STANDING = ["version_id", "user_id", "value", *_FIGURES]

_select_days = text(
    f"""select version_id, user_id, day, {", ".join(_FIGURES)} from daily_totals
        join unnest(cast(:user_ids as uuid[]), cast(:days as date[])) as wanted (user_id, day) using (user_id, day)
        where version_id = any(:version_ids)"""  # noqa: S608 - made of the names of columns
)
_select_all_days = text(
    f"""select version_id, user_id, day, {", ".join(_FIGURES)} from daily_totals
        where user_id = any(:user_ids) and version_id = any(:version_ids)"""  # noqa: S608
)
_upsert_days = text(
    f"""insert into daily_totals ({", ".join([*_DAY, *_FIGURES])})
        select batch.* from {batch_of(DailyTotalRow, [*_DAY, *_FIGURES])}
        on conflict (user_id, day, version_id) do update
        set {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}"""  # noqa: S608
)
_delete_days = text(
    f"""delete from daily_totals as t using {batch_of(DailyTotalRow, _DAY)}
        where t.user_id = batch.user_id and t.day = batch.day and t.version_id = batch.version_id"""  # noqa: S608
)
#: Of a participant: whether boards show them.
_LISTED = "not (participants.hidden_by_participant or participants.hidden_by_organiser)"
_add_to_standings = text(
    f"""insert into standings as t (listed, sort_name, {", ".join(_STANDING)})
        select coalesce({_LISTED}, false), coalesce(participants.sort_name, ''), batch.*
        from {batch_of(StandingRow, _STANDING)} left join participants on participants.user_id = batch.user_id
        on conflict (user_id, version_id) do update
        set {", ".join(f"{name} = t.{name} + excluded.{name}" for name in ["value", *_FIGURES])}"""  # noqa: S608
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
       join boards on boards.id = board_id and challenge_id = :challenge_id
       where listed on conflict do nothing"""
)
_delete_places = text(
    """delete from rank_history using board_versions, boards
       where version_id = board_versions.id and boards.id = board_id and challenge_id = :challenge_id
           and day < :before"""
)


@dataclass(frozen=True)
class Difference:
    """By how much the standing of a user on a version changes."""

    version_id: int
    user_id: UUID
    value: Decimal
    totals: Totals


@dataclass(frozen=True)
class Recalculation:
    """Somebody whose standings are to be computed, and how often that was requested."""

    user_id: UUID
    requests: int


async def get_daily_totals(
    session: AsyncSession, version_ids: Collection[int], days: Collection[tuple[UUID, date]]
) -> dict[DayKey, Totals]:
    """What these users have on these versions on those days."""
    rows = await session.execute(
        _select_days,
        {
            "version_ids": list(version_ids),
            "user_ids": [user_id for user_id, _ in days],
            "days": [day for _, day in days],
        },
    )
    return {(row.version_id, row.user_id, row.day): Totals(*row[3:]) for row in rows}


async def get_all_daily_totals(
    session: AsyncSession, version_ids: Collection[int], user_ids: Collection[UUID]
) -> dict[DayKey, Totals]:
    """What these users have on these versions on any day."""
    parameters = {"version_ids": list(version_ids), "user_ids": list(user_ids)}
    rows = await session.execute(_select_all_days, parameters)
    return {(row.version_id, row.user_id, row.day): Totals(*row[3:]) for row in rows}


async def save_daily_totals(session: AsyncSession, totals: Mapping[DayKey, Totals]) -> None:
    """Save the totals of days; those without activities are deleted."""
    rows = [{**dict(zip(_DAY, key, strict=True)), **asdict(each)} for key, each in totals.items()]
    if kept := [row for row in rows if row["activities"]]:
        await session.execute(_upsert_days, to_columns(kept, [*_DAY, *_FIGURES]))
    if gone := [row for row in rows if not row["activities"]]:
        await session.execute(_delete_days, to_columns(gone, _DAY))


async def add_to_standings(session: AsyncSession, differences: Iterable[Difference]) -> None:
    """Add to standings, in the order in which everybody locks them; those without activities are deleted."""
    rows = [
        {"version_id": one.version_id, "user_id": one.user_id, "value": one.value, **asdict(one.totals)}
        for one in sorted(differences, key=lambda one: (one.user_id, one.version_id))
    ]
    await session.execute(_add_to_standings, to_columns(rows, _STANDING))
    if fewer := [row for row in rows if row["activities"] < 0]:
        await session.execute(_delete_empty, to_columns(fewer, ["version_id", "user_id"]))


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


async def add_milestone_changes(session: AsyncSession, changes: Collection[tuple[int, UUID]]) -> None:
    """Note that what these users have in these milestones changed, to be looked at after the commit."""
    await session.execute(
        text(
            """insert into milestone_changes (board_id, user_id)
               select * from unnest(cast(:board_ids as integer[]), cast(:user_ids as uuid[]))"""
        ),
        {"board_ids": [board_id for board_id, _ in changes], "user_ids": [user_id for _, user_id in changes]},
    )


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
