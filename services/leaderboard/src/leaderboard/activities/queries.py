"""SQL of activities, with what people have chosen about them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.rules import HIDDEN_START, OVERLAP_TOLERANCE, Activity, Span, get_span
from leaderboard.tables import ActivityRow, ErasedUserRow
from shared.database import locks
from shared.database.bulk import batch_of, to_array_text, to_columns

CHOICES = ("private_allowed", "excluded_by_participant", "excluded_by_organiser", "preferred")
FACTS = tuple(field.name for field in fields(Activity) if field.name not in CHOICES)
#: What lasts longer is found by an index of its own, so that a look at one day need not go further back.
LONG_S = 86_400

_STATE = ["user_id", "version", *FACTS, "suspicions"]
_BEFORE = "old.user_id, old.local_start, old.start_at, old.elapsed_time_s, old.removed"

_upsert_facts = text(
    f"""
    insert into activities as t (removed, {", ".join(_STATE)})
    select false, batch.* from {batch_of(ActivityRow, _STATE)}
    on conflict (strava_id) do update set removed = false,
        {", ".join(f"{name} = excluded.{name}" for name in _STATE if name != "strava_id")}
    where t.version < excluded.version
    returning new.strava_id, {_BEFORE}
    """  # noqa: S608 - made of the names of columns
)
_mark_removed = text(
    f"""
    insert into activities as t (removed, strava_id, user_id, version)
    select true, batch.* from {batch_of(ActivityRow, ["strava_id", "user_id", "version"])}
    on conflict (strava_id) do update set removed = true, version = excluded.version
    where t.version < excluded.version
    returning new.strava_id, {_BEFORE}
    """  # noqa: S608 - made of the names of columns
)
_READ = (*FACTS, *CHOICES)
_COLUMNS = f"""{", ".join(f"one.{name}" for name in ("user_id", *FACTS))},
    coalesce((select private_activities from participants where user_id = one.user_id), false) as private_allowed,
    exists (select from exclusions as e where e.strava_id = one.strava_id and e.excluded_by = 'participant')
        as excluded_by_participant,
    exists (select from exclusions as e where e.strava_id = one.strava_id and e.excluded_by = 'organiser')
        as excluded_by_organiser,
    exists (select from preferred_activities as p where p.strava_id = one.strava_id) as preferred"""  # noqa: S608
_select_on_days = text(
    f"""
    select {_COLUMNS}
    from unnest(cast(:user_ids as uuid[]), cast(:days as date[])) as wanted (user_id, day)
    cross join lateral (
        select * from activities where activities.user_id = wanted.user_id and not removed
            and local_start >= wanted.day and local_start < wanted.day + 1
        limit :limit) as one
    """  # noqa: S608 - made of the names of columns
)
_select_between = text(
    f"""
    select {_COLUMNS} from activities as one
    where user_id = any(:user_ids) and not removed
        and local_start >= cast(:first_day as date) and local_start < cast(:last_day as date) + 1
    """  # noqa: S608 - made of the names of columns
)
_select_one = text(
    f"select {_COLUMNS} from activities as one where strava_id = :strava_id and not removed"  # noqa: S608
)
# Shares time with the span: `get_span` says it in Python.
_TOLERANCE_S = int(OVERLAP_TOLERANCE.total_seconds())
_SHARES_TIME = f"""activities.user_id = span.user_id and not removed and local_start::time <> '{HIDDEN_START}'
    and start_at < span.last and start_at + (elapsed_time_s - {_TOLERANCE_S}) * interval '1 second' > span.first
    and elapsed_time_s > {_TOLERANCE_S}"""
_select_overlapping_days = text(
    f"""
    select span.user_id, one.day, count(*) as activities
    from unnest(cast(:user_ids as uuid[]), cast(:firsts as timestamptz[]), cast(:lasts as timestamptz[]))
        as span (user_id, first, last)
    cross join lateral (
        (select local_start::date as day from activities
         where {_SHARES_TIME} and elapsed_time_s <= {LONG_S} and start_at > span.first - interval '1 day'
         limit :limit)
        union all
        (select local_start::date as day from activities where {_SHARES_TIME} and elapsed_time_s > {LONG_S}
         limit :limit)) as one
    group by span.user_id, one.day
    """  # noqa: S608 - constants
)
_count = text(
    """
    select user_id, count(*) as activities from activities
    where user_id > coalesce(cast(:after as uuid), '00000000-0000-0000-0000-000000000000') and not removed
    group by user_id order by user_id limit :limit
    """
)


@dataclass(frozen=True)
class RecordedActivity:
    """An activity, whose it is, ingest's version of it, and what ingest finds hard to believe about it."""

    user_id: UUID
    version: int
    activity: Activity
    suspicions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removal:
    """An activity that is not on record from this version on."""

    strava_id: int
    user_id: UUID
    version: int


@dataclass(frozen=True)
class Change:
    """A day on which an activity of somebody is other than before, or was until now, and when it took place."""

    user_id: UUID
    day: date
    span: Span | None


async def lock_scoring(session: AsyncSession) -> None:
    """Nobody scores anybody until the commit: so that what is scored, and by which rules, changes for all at once."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('scoring', 0))"))


async def lock_people(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """One scorer at a time for each of these users, until the commit; everybody takes the locks in one order."""
    await session.execute(text("select pg_advisory_xact_lock_shared(hashtextextended('scoring', 0))"))
    await locks.lock_people(session, "leaderboard", user_ids)


async def list_erased(session: AsyncSession, user_ids: Collection[UUID]) -> set[UUID]:
    """Which of these users were erased; asked under their locks, which erasures take, too."""
    erased = await session.execute(select(ErasedUserRow.user_id).where(ErasedUserRow.user_id.in_(user_ids)))
    return set(erased.scalars())


async def upsert_activities(session: AsyncSession, recorded: Sequence[RecordedActivity]) -> list[Change]:
    """Save activities, each at most once in the batch; an older version changes nothing. Returns what changed."""
    columns = {name: [getattr(one.activity, name) for one in recorded] for name in FACTS}
    columns["user_id"] = [one.user_id for one in recorded]
    columns["version"] = [one.version for one in recorded]
    columns["suspicions"] = [to_array_text(one.suspicions) for one in recorded]
    saved = (await session.execute(_upsert_facts, columns)).all()
    ids = {row.strava_id for row in saved}
    after = [
        Change(one.user_id, one.activity.day, None)  # its span is seen when the day is loaded
        for one in recorded
        if one.activity.strava_id in ids
    ]
    return [*after, *_changes_before(saved)]


async def mark_activities_removed(session: AsyncSession, removals: Sequence[Removal]) -> list[Change]:
    """Mark activities as removed; a later version of one brings it back. Returns what changed.

    One that is not known yet leaves a mark without facts: an earlier version of it may still come.
    """
    rows = [vars(one) for one in removals]
    return list(
        _changes_before(await session.execute(_mark_removed, to_columns(rows, ["strava_id", "user_id", "version"])))
    )


def _changes_before(rows: Iterable[Row[Any]]) -> Iterator[Change]:
    for row in rows:
        if row.removed is False:
            span = get_span(row.start_at, row.local_start, row.elapsed_time_s)
            yield Change(row.user_id, row.local_start.date(), span)


async def list_activities_on(
    session: AsyncSession, days: Collection[tuple[UUID, date]], limit: int
) -> list[tuple[UUID, Activity]]:
    """The activities of each of these users on that local day, at most so many on each."""
    parameters = {"user_ids": [user_id for user_id, _ in days], "days": [day for _, day in days], "limit": limit}
    return list(map(_to_activity, await session.execute(_select_on_days, parameters)))


async def list_activities_between(
    session: AsyncSession, user_ids: Collection[UUID], first_day: date, last_day: date
) -> list[tuple[UUID, Activity]]:
    """The activities of these users from the first to the last local day."""
    parameters = {"user_ids": list(user_ids), "first_day": first_day, "last_day": last_day}
    return list(map(_to_activity, await session.execute(_select_between, parameters)))


async def count_overlapping(
    session: AsyncSession, spans: Collection[tuple[UUID, Span]], limit: int
) -> dict[tuple[UUID, date], int]:
    """On which local days of these users activities share time with one of the spans, and how many.

    Of each span at most `limit` are counted that last longer than a day, and as many others.
    """
    found = await session.execute(
        _select_overlapping_days,
        {
            "user_ids": [user_id for user_id, _ in spans],
            "firsts": [first for _, (first, _) in spans],
            "lasts": [last for _, (_, last) in spans],
            "limit": limit,
        },
    )
    return {(row.user_id, row.day): row.activities for row in found}


async def count_activities(session: AsyncSession, after: UUID | None, limit: int) -> dict[UUID, int]:
    """Who has how many activities, by user: the next so many users after that one."""
    counted = await session.execute(_count, {"after": after, "limit": limit})
    return {row.user_id: row.activities for row in counted}


async def has_activities(session: AsyncSession) -> bool:
    """Whether anybody has any."""
    return bool((await session.execute(text("select exists (select from activities where not removed)"))).scalar())


async def find_activity(session: AsyncSession, strava_id: int) -> tuple[UUID, Activity] | None:
    """An activity that is on record, and whose it is."""
    row = (await session.execute(_select_one, {"strava_id": strava_id})).one_or_none()
    return _to_activity(row) if row else None


async def purge_activities(session: AsyncSession, before: datetime, limit: int) -> int:
    """Delete at most so many that started before then, with what was chosen about them; returns how many.

    The mark of one that was removed before it was known has no start, and stays.
    """
    deleted = await session.execute(
        text(
            """with gone as (
                 delete from activities where ctid = any(array(
                     select ctid from activities where start_at < :before and start_at > 'epoch'
                     limit :limit for update skip locked))
                 returning strava_id),
               no_exclusions as (delete from exclusions using gone where exclusions.strava_id = gone.strava_id),
               no_preferences as (
                 delete from preferred_activities as p using gone where p.strava_id = gone.strava_id)
               select count(*) from gone"""
        ),
        {"before": before, "limit": limit},
    )
    return int(deleted.scalar_one())


async def erase_activities(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Delete the activities of these users, and what was chosen about them."""
    for table in ("preferred_activities", "exclusions"):
        await session.execute(text(f"delete from {table} where user_id = any(:ids)"), {"ids": list(user_ids)})  # noqa: S608
    await session.execute(delete(ActivityRow).where(ActivityRow.user_id.in_(user_ids)))


def _to_activity(row: Row[Any]) -> tuple[UUID, Activity]:
    return row.user_id, Activity(**dict(zip(_READ, row[1:], strict=True)))
