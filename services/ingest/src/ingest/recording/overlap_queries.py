"""SQL of activities that overlap: what is near a change, and saving what is different then.

A row has a place in the order of a user's starts. Whatever their number, a change looks at NEIGHBOURS around it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.recording.queries import FACTS
from ingest.recording.rules.overlaps import NEIGHBOURS, TOLERANCE_S, Interval
from ingest.tables import LASTS_DAYS, OVERLAPPABLE, ActivityRow
from shared.database.bulk import batch_of, to_array_text, to_columns
from shared.database.versions import next_version


@dataclass(frozen=True)
class Place:
    """Where an activity is or was among those of its user, and the message that put it there or took it away."""

    user_id: UUID
    start_at: datetime
    strava_id: int
    message_id: UUID | None


@dataclass(frozen=True)
class Neighbourhood:
    """What is around a place, in the order of start and id."""

    before: Sequence[Interval]
    here: Interval | None
    after: Sequence[Interval]


_POSITION = ["user_id", "start_at", "strava_id"]
_BEFORE = "(o.start_at, o.strava_id) < (batch.start_at, batch.strava_id)"
_AFTER = "(o.start_at, o.strava_id) > (batch.start_at, batch.strava_id)"
_LATEST_FIRST = f"order by o.start_at desc, o.strava_id desc limit {NEIGHBOURS}"
_REACHES = f"""candidate.start_at + make_interval(secs => candidate.elapsed_time_s)
               > batch.start_at + interval '{TOLERANCE_S} s'"""

#: Those that start while it lasts; those that started within the day before and are not over; and, of those that last
#: longer, the latest. Found by index, and mostly nothing is.
_overlapping = text(
    f"""
    select batch.strava_id from {batch_of(ActivityRow, [*_POSITION, "elapsed_time_s"])}
    where exists (
            select from activities as o where o.user_id = batch.user_id and {OVERLAPPABLE} and {_AFTER}
                and o.start_at < batch.start_at + make_interval(secs => batch.elapsed_time_s - {TOLERANCE_S}))
        or exists (
            select from (select o.start_at, o.elapsed_time_s from activities as o
                where o.user_id = batch.user_id and {OVERLAPPABLE} and {_BEFORE}
                    and o.start_at > batch.start_at - interval '1 day' {_LATEST_FIRST}) as candidate
            where {_REACHES})
        or exists (
            select from (select o.start_at, o.elapsed_time_s from activities as o
                where o.user_id = batch.user_id and {LASTS_DAYS} and {_BEFORE} {_LATEST_FIRST}) as candidate
            where {_REACHES})
    """  # noqa: S608 - made of constants
)


async def list_overlapping(session: AsyncSession, activities: Sequence[Mapping[str, Any]]) -> set[int]:
    """Which of these, which can overlap and are on record, do so, or may do so."""
    columns = to_columns(activities, [*_POSITION, "elapsed_time_s"])
    return set((await session.execute(_overlapping, columns)).scalars())


_near = """select o.strava_id, o.start_at, o.elapsed_time_s, o.overlaps_with from activities as o
           where o.user_id = batch.user_id"""
_neighbourhoods = text(
    f"""
    select batch.number, near.*
    from {batch_of(ActivityRow, _POSITION, numbered=True)}
    cross join lateral (
        (({_near} and {OVERLAPPABLE} and {_BEFORE} order by o.start_at desc, o.strava_id desc limit {2 * NEIGHBOURS}))
        union all
        (({_near} and {OVERLAPPABLE} and not {_BEFORE} order by o.start_at, o.strava_id limit {2 * NEIGHBOURS + 1}))
    ) as near
    order by near.start_at, near.strava_id
    """  # noqa: S608 - made of constants
)


async def load_neighbourhoods(session: AsyncSession, places: Sequence[Place]) -> list[tuple[Place, Neighbourhood]]:
    """What is around these places now; an activity may have left one of them and taken another."""
    columns = to_columns(map(vars, places), _POSITION)
    near: list[list[Interval]] = [[] for _ in places]
    for number, strava_id, start_at, elapsed_time_s, overlaps_with in await session.execute(_neighbourhoods, columns):
        interval = Interval(
            strava_id=strava_id, start_at=start_at, elapsed_time_s=elapsed_time_s, overlaps_with=tuple(overlaps_with)
        )
        near[number - 1].append(interval)
    return [(place, _split(place, one)) for place, one in zip(places, near, strict=True)]


def _split(place: Place, near: Sequence[Interval]) -> Neighbourhood:
    position = place.start_at, place.strava_id
    before = [one for one in near if (one.start_at, one.strava_id) < position]
    rest = near[len(before) :]
    if rest and (rest[0].start_at, rest[0].strava_id) == position:
        return Neighbourhood(before, rest[0], rest[1 : 1 + 2 * NEIGHBOURS])
    return Neighbourhood(before, None, rest[: 2 * NEIGHBOURS])


_save = text(
    f"""
    with saved as (
        update activities as t set overlaps_with = batch.overlaps_with::bigint[],
            version = case when batch.is_fresh then t.version else {next_version("t.version")} end,
            message_id = case when batch.is_fresh then t.message_id else batch.message_id end,
            changed_at = now(),
            reason = case when batch.is_fresh then t.reason else 'fetched' end,
            changed = case when not batch.is_fresh then '{{overlaps_with}}'
                when cardinality(t.changed) > 0 and 'overlaps_with' <> all(t.changed)
                then t.changed || array['overlaps_with']
                else t.changed end
        from unnest(cast(:strava_id as bigint[]), cast(:overlaps_with as text[]), cast(:message_id as uuid[]),
            cast(:is_fresh as boolean[])) as batch (strava_id, overlaps_with, message_id, is_fresh)
        where t.strava_id = batch.strava_id
        returning t.strava_id, t.user_id, t.version, t.reason, t.changed, t.overlaps_with, batch.is_fresh,
            {", ".join(f"t.{name}" for name in FACTS)}, old.version as old_version, old.message_id as old_message_id,
            old.changed_at as old_changed_at, old.reason as old_reason, old.changed as old_changed
    ), kept as (
        insert into activity_versions (strava_id, version, state, message_id, changed_at, reason, changed)
        select strava_id, old_version, 'recorded', old_message_id, old_changed_at, old_reason, old_changed
        from saved where not is_fresh
    )
    select * from saved order by strava_id
    """  # noqa: S608 - made of the names of columns
)


async def save_overlaps(
    session: AsyncSession,
    overlaps_with: Mapping[int, tuple[int, ...]],
    causes: Mapping[int, UUID | None],
    fresh: set[int],
) -> Sequence[Row[Any]]:
    """Save what activities overlap; those in `fresh` have a version that nobody has seen yet, the others get one."""
    ids = sorted(overlaps_with)
    columns = {
        "strava_id": ids,
        "overlaps_with": [to_array_text(overlaps_with[one]) for one in ids],
        "message_id": [causes[one] for one in ids],
        "is_fresh": [one in fresh for one in ids],
    }
    return (await session.execute(_save, columns)).all()
