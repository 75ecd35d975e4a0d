"""Every SQL statement of ingest."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.domain import Activity, Rejected

_FIELDS = {
    "strava_id": "bigint",
    "sport_type": "text",
    "start_at": "timestamptz",
    "local_start": "timestamp",
    "distance_m": "numeric",
    "moving_time_s": "integer",
    "elapsed_time_s": "integer",
    "elev_gain_m": "numeric",
    "trainer": "boolean",
    "commute": "boolean",
    "manual": "boolean",
    "visibility": "text",
}
assert tuple(_FIELDS) == tuple(field.name for field in fields(Activity))


@dataclass(frozen=True)
class Fetched:
    """An activity together with whose it is and in which fetch it was seen."""

    user_id: UUID
    fetch_seq: int
    activity: Activity


@dataclass(frozen=True)
class Saved:
    """A saved activity that differs from what was on record; `old_version` None when it was not on record."""

    strava_id: int
    version: int
    is_new: bool
    was_removed: bool


def _upsert_statement() -> TextClause:
    """One statement a batch: the newest fetch wins, and rows whose content is unchanged keep their version."""
    own = [name for name in _FIELDS if name != "strava_id"]
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in _FIELDS.items())
    assignments = ", ".join(f"{name} = excluded.{name}" for name in own)
    old, new = (", ".join(f"{prefix}.{name}" for name in own) for prefix in ("t", "excluded"))
    return text(
        f"""
        insert into activities as t (user_id, fetch_seq, version, {", ".join(_FIELDS)})
        select user_id, fetch_seq, 1, {", ".join(_FIELDS)}
        from unnest(cast(:user_id as uuid[]), cast(:fetch_seq as bigint[]), {arrays})
             as batch (user_id, fetch_seq, {", ".join(_FIELDS)})
        on conflict (strava_id) do update set
            {assignments},
            user_id = excluded.user_id, fetch_seq = excluded.fetch_seq, removed_at = null,
            version = t.version
                + (t.removed_at is not null or ({old}) is distinct from ({new}))::int
        where t.fetch_seq < excluded.fetch_seq
        returning new.strava_id, new.version, old.version is null as is_new,
                  old.removed_at is not null as was_removed, old.version is distinct from new.version as changed
        """  # noqa: S608 - made of the constants above
    )


_upsert = _upsert_statement()


async def save_activities(session: AsyncSession, batch: Sequence[Fetched]) -> list[Saved]:
    """Save activities, each `strava_id` at most once in the batch; returns those that were not on record so."""
    # Batches that touch the same rows in different orders would deadlock.
    ordered = sorted(batch, key=lambda one: one.activity.strava_id)
    columns: dict[str, list[Any]] = {
        name: list(column)
        for name, column in zip(_FIELDS, zip(*(astuple(one.activity) for one in ordered), strict=True), strict=True)
    }
    columns |= {"user_id": [one.user_id for one in ordered], "fetch_seq": [one.fetch_seq for one in ordered]}
    rows = await session.execute(_upsert, columns)
    return [Saved(r.strava_id, r.version, r.is_new, r.was_removed) for r in rows if r.changed]


async def save_rejected(session: AsyncSession, user_id: UUID, fetch_seq: int, rejected: Rejected) -> None:
    """Keep what could not be recorded, with its reason."""
    await session.execute(
        text(
            """insert into rejected as t (strava_id, user_id, fetch_seq, reason, rejected_at)
               values (:strava_id, :user_id, :fetch_seq, :reason, now())
               on conflict (strava_id) do update set fetch_seq = excluded.fetch_seq, reason = excluded.reason,
                   rejected_at = excluded.rejected_at
               where t.fetch_seq < excluded.fetch_seq"""
        ),
        {"strava_id": rejected.strava_id, "user_id": user_id, "fetch_seq": fetch_seq, "reason": rejected.reason},
    )


async def forget_rejected(session: AsyncSession, strava_ids: Sequence[int]) -> None:
    """These can be recorded after all."""
    await session.execute(text("delete from rejected where strava_id = any(:ids)"), {"ids": sorted(strava_ids)})


async def remove_unlisted(
    session: AsyncSession,
    user_id: UUID,
    fetch_seq: int,
    window: tuple[datetime | None, datetime],
    listed: Sequence[int],
) -> list[tuple[int, int]]:
    """Mark as removed what a complete listing of the window does not name; returns (strava_id, version) of each."""
    rows = await session.execute(
        text(
            """update activities set removed_at = now(), version = version + 1, fetch_seq = :fetch_seq
               where strava_id in (
                   select strava_id from activities
                   where user_id = :user_id and fetch_seq < :fetch_seq and removed_at is null
                     and start_at <= :before and (cast(:after as timestamptz) is null or start_at >= :after)
                     and strava_id <> all(cast(:listed as bigint[]))
                   order by strava_id for update)
               returning strava_id, version"""
        ),
        {
            "user_id": user_id,
            "fetch_seq": fetch_seq,
            "after": window[0],
            "before": window[1],
            "listed": list(listed),
        },
    )
    return [(row.strava_id, row.version) for row in rows]
