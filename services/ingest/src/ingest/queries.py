"""Every SQL statement of ingest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.rules import Activity, Rejected
from ingest.tables import ActivityRow, ErasedUserRow, ListingRow, RejectedRow, VanishedRow
from shared.database.bulk import batch_of, to_columns
from shared.database.versions import NOW_US, next_version

_FACTS = [field.name for field in fields(Activity)]
_FETCHED = ["user_id", "fetch_seq", *_FACTS]
_VANISHED = ["strava_id", "user_id", "fetch_seq"]
_REJECTED = ["strava_id", "user_id", "fetch_seq", "reason"]


@dataclass(frozen=True)
class Fetched:
    """An activity together with whose it is and in which fetch it was seen."""

    user_id: UUID
    fetch_seq: int
    activity: Activity


@dataclass(frozen=True)
class RejectedFetch:
    """An activity that cannot be recorded, likewise."""

    user_id: UUID
    fetch_seq: int
    rejected: Rejected


@dataclass(frozen=True)
class Removed:
    """An activity that is not on record any more."""

    user_id: UUID
    strava_id: int
    version: int


@dataclass(frozen=True)
class Vanished:
    """An activity that Strava does not show, together with whose it was and in which fetch that was seen."""

    user_id: UUID
    strava_id: int
    fetch_seq: int


@dataclass(frozen=True)
class Saved:
    """A saved activity that differs from what was on record."""

    strava_id: int
    version: int
    is_new: bool
    was_removed: bool


async def lock_recording(session: AsyncSession) -> None:
    """One writer at a time: what a fetch and a listing say of an activity is judged by what the other left.

    A lock for each user would be held in the order of the messages, and deadlock. Strava allows some twenty
    activities a second at most; one writer does thousands.
    """
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('recording', 0))"))


async def list_erased(session: AsyncSession, user_ids: Collection[UUID]) -> set[UUID]:
    """Which of these users were erased; asked under the lock of recording, so that no erasure comes in between."""
    erased = await session.execute(
        text("select user_id from erased_users where user_id = any(:user_ids)"), {"user_ids": list(user_ids)}
    )
    return set(erased.scalars())


_save_erased = text(
    f"""insert into erased_users (user_id, erased_at)
        select batch.* from {batch_of(ErasedUserRow, ["user_id", "erased_at"])} on conflict do nothing"""  # noqa: S608
)


async def erase_users(session: AsyncSession, erased_at: Mapping[UUID, datetime]) -> None:
    """Delete everything of these users, given with the time of their erasure, except that they were erased."""
    await session.execute(_save_erased, {"user_id": list(erased_at), "erased_at": list(erased_at.values())})
    for table in (ActivityRow, RejectedRow, ListingRow, VanishedRow):
        await session.execute(delete(table).where(table.user_id.in_(list(erased_at))))


def _upsert_statement() -> TextClause:
    """One statement a batch: the newest fetch wins, and rows whose content is unchanged keep their version.

    Whose an activity is belongs to its content: an athlete who was erased and joined again is another user.

    A fetch older than a listing has nothing to say about the listing's window: the listing's own fetch does.
    """
    content = ["user_id", *(name for name in _FACTS if name != "strava_id")]
    assignments = ", ".join(f"{name} = excluded.{name}" for name in content)
    old, new = (", ".join(f"{prefix}.{name}" for name in content) for prefix in ("t", "excluded"))
    return text(
        f"""
        insert into activities as t (version, {", ".join(_FETCHED)})
        select {NOW_US}, batch.* from {batch_of(ActivityRow, _FETCHED)}
        where not exists (
                select from listings where listings.user_id = batch.user_id
                    and listings.fetch_seq > batch.fetch_seq and batch.start_at <= listings.until
                    and (listings.since is null or batch.start_at >= listings.since))
            and not exists (
                select from rejected where rejected.strava_id = batch.strava_id
                    and rejected.fetch_seq > batch.fetch_seq)
            and not exists (
                select from vanished where vanished.strava_id = batch.strava_id
                    and vanished.fetch_seq > batch.fetch_seq)
        on conflict (strava_id) do update set
            {assignments},
            fetch_seq = excluded.fetch_seq, removed_at = null,
            version = case when t.removed_at is not null or ({old}) is distinct from ({new})
                then {next_version("t.version")} else t.version end
        where t.fetch_seq < excluded.fetch_seq
        returning new.strava_id, new.version, old.version is null as is_new,
                  old.removed_at is not null as was_removed, old.version is distinct from new.version as changed
        """  # noqa: S608 - made of the names of columns
    )


_upsert = _upsert_statement()


async def save_activities(session: AsyncSession, batch: Sequence[Fetched]) -> list[Saved]:
    """Save activities, each `strava_id` at most once in the batch; returns those that were not on record so."""
    ordered = sorted(batch, key=lambda one: one.activity.strava_id)
    rows = [{"user_id": one.user_id, "fetch_seq": one.fetch_seq, **asdict(one.activity)} for one in ordered]
    columns = to_columns(rows, _FETCHED)
    saved = (await session.execute(_upsert, columns)).all()
    await session.execute(
        text(
            """delete from rejected as t using unnest(cast(:ids as bigint[]), cast(:seqs as bigint[])) as b (id, seq)
               where t.strava_id = b.id and t.fetch_seq < b.seq"""
        ),
        {"ids": columns["strava_id"], "seqs": columns["fetch_seq"]},
    )
    return [Saved(r.strava_id, r.version, r.is_new, r.was_removed) for r in saved if r.changed]


_save_rejected = text(
    f"""
    insert into rejected as t (rejected_at, {", ".join(_REJECTED)})
    select now(), batch.* from {batch_of(RejectedRow, _REJECTED)}
    where not exists (
            select from listings where listings.user_id = batch.user_id and listings.since is null
                and listings.fetch_seq > batch.fetch_seq)
        and not exists (
            select from activities where activities.strava_id = batch.strava_id
                and activities.fetch_seq > batch.fetch_seq)
        and not exists (
            select from vanished where vanished.strava_id = batch.strava_id
                and vanished.fetch_seq > batch.fetch_seq)
    on conflict (strava_id) do update set user_id = excluded.user_id, fetch_seq = excluded.fetch_seq,
        reason = excluded.reason, rejected_at = excluded.rejected_at
    where t.fetch_seq < excluded.fetch_seq
    """  # noqa: S608 - made of the names of columns
)
_remove_rejected = text(
    f"""
    update activities as t set removed_at = now(), version = {next_version("t.version")},
        fetch_seq = rejected.fetch_seq
    from rejected
    where rejected.strava_id = t.strava_id and t.strava_id = any(:strava_id) and t.removed_at is null
        and t.fetch_seq < rejected.fetch_seq
    returning t.user_id, t.strava_id, t.version
    """  # noqa: S608 - made of constants
)


async def save_rejected(session: AsyncSession, batch: Sequence[RejectedFetch]) -> list[Removed]:
    """Keep what could not be recorded, with its reason; returns what was on record and is not any more."""
    rows = [{"user_id": one.user_id, "fetch_seq": one.fetch_seq, **asdict(one.rejected)} for one in batch]
    columns = to_columns(rows, _REJECTED)
    await session.execute(_save_rejected, columns)
    removed = await session.execute(_remove_rejected, {"strava_id": columns["strava_id"]})
    return [Removed(*row) for row in removed]


_save_vanished = text(
    f"""
    insert into vanished as t (vanished_at, {", ".join(_VANISHED)})
    select now(), batch.* from {batch_of(VanishedRow, _VANISHED)}
    on conflict (strava_id) do update set user_id = excluded.user_id, fetch_seq = excluded.fetch_seq,
        vanished_at = excluded.vanished_at
    where t.fetch_seq < excluded.fetch_seq
    """  # noqa: S608 - made of the names of columns
)
_remove_vanished = text(
    f"""
    update activities as t set removed_at = now(), version = {next_version("t.version")},
        fetch_seq = batch.fetch_seq
    from {batch_of(VanishedRow, _VANISHED)}
    where t.strava_id = batch.strava_id and t.user_id = batch.user_id and t.removed_at is null
        and t.fetch_seq < batch.fetch_seq
    returning t.user_id, t.strava_id, t.version
    """  # noqa: S608 - made of the names of columns
)


async def remove_vanished(session: AsyncSession, batch: Sequence[Vanished]) -> list[Removed]:
    """Remember that these are gone, and mark those as removed that are on record, which are returned."""
    columns = to_columns((vars(one) for one in sorted(batch, key=lambda one: one.strava_id)), _VANISHED)
    await session.execute(_save_vanished, columns)
    await session.execute(
        text(
            """delete from rejected as t using unnest(cast(:ids as bigint[]), cast(:seqs as bigint[])) as b (id, seq)
               where t.strava_id = b.id and t.fetch_seq < b.seq"""
        ),
        {"ids": columns["strava_id"], "seqs": columns["fetch_seq"]},
    )
    return [Removed(*row) for row in await session.execute(_remove_vanished, columns)]


async def save_listing(
    session: AsyncSession, user_id: UUID, fetch_seq: int, since: datetime | None, until: datetime
) -> None:
    """Remember the listing, and forget older ones of no wider window."""
    parameters = {"user_id": user_id, "fetch_seq": fetch_seq, "since": since, "until": until}
    await session.execute(
        text(
            """insert into listings (user_id, fetch_seq, since, until)
               values (:user_id, :fetch_seq, :since, :until) on conflict do nothing"""
        ),
        parameters,
    )
    await session.execute(
        text(
            """delete from listings as t using listings as newer
               where t.user_id = :user_id and newer.user_id = :user_id and t.fetch_seq < newer.fetch_seq
                   and t.until <= newer.until and (newer.since is null or t.since >= newer.since)"""
        ),
        {"user_id": user_id},
    )


async def remove_unlisted(
    session: AsyncSession,
    user_id: UUID,
    fetch_seq: int,
    window: tuple[datetime | None, datetime],
    listed: Sequence[int],
) -> list[Removed]:
    """Mark as removed what a complete listing of the window does not name, and forget what of it was rejected."""
    parameters = {"user_id": user_id, "fetch_seq": fetch_seq, "listed": list(listed)}
    removed = await session.execute(
        text(
            f"""update activities set removed_at = now(), version = {next_version("version")}, fetch_seq = :fetch_seq
               where user_id = :user_id and fetch_seq < :fetch_seq and removed_at is null
                   and start_at <= :until and (cast(:since as timestamptz) is null or start_at >= :since)
                   and strava_id <> all(cast(:listed as bigint[]))
               returning user_id, strava_id, version"""  # noqa: S608 - made of constants
        ),
        parameters | {"since": window[0], "until": window[1]},
    )
    if window[0] is None:  # the start of what was rejected is not known
        await session.execute(
            text(
                """delete from rejected where user_id = :user_id and fetch_seq < :fetch_seq
                   and strava_id <> all(cast(:listed as bigint[]))"""
            ),
            parameters,
        )
    return [Removed(*row) for row in removed]
