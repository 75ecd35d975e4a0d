"""SQL of the record: one statement a batch, guarded by the number of the fetch."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.recording.rules.listings import Listing
from ingest.recording.rules.mapping import Activity
from ingest.recording.rules.overlaps import TOLERANCE_S
from ingest.recording.rules.states import State
from ingest.tables import ActivityRow, RejectedRow
from shared.database import locks
from shared.database.bulk import batch_of, to_array_text, to_columns
from shared.database.versions import NOW_US, next_version

FACTS = [field.name for field in fields(Activity) if field.name != "strava_id"]
_EVIDENCE = ["strava_id", "user_id", "fetch_seq", "message_id", "state", "reason"]
_REJECTED = ["strava_id", "user_id", "fetch_seq", "reason", "fetched_at", "start_at", "fields"]
#: What a version was, when a newer one takes its place.
_VERSION = ["strava_id", "version", "state", "message_id", "changed_at", "reason", "changed"]
_NO_FACTS = dict.fromkeys(FACTS)


@dataclass(frozen=True)
class Person:
    """What of somebody decides about their activities."""

    is_erased: bool
    private_activities: bool  # whether they are recorded
    listings: tuple[Listing, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What Strava said of an activity in one fetch, as it is to be stored; `activity` if it is to be recorded."""

    strava_id: int
    user_id: UUID
    fetch_seq: int
    message_id: UUID | None
    state: State
    reason: str
    activity: Activity | None = None


@dataclass(frozen=True, kw_only=True)
class RejectedFetch:
    """An activity that cannot be recorded, with what Strava said of it."""

    strava_id: int
    user_id: UUID
    fetch_seq: int
    reason: str
    fetched_at: datetime
    start_at: datetime | None
    fields: str | None


async def lock_people(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """One writer at a time for each of these users, until the commit; everybody takes the locks in one order."""
    await locks.lock_people(session, "ingest", user_ids)


async def load_people(
    session: AsyncSession, user_ids: Collection[UUID]
) -> tuple[dict[UUID, Person], datetime | None]:
    """What decides about the activities of these users, and before which start nothing is kept."""
    rows = await session.execute(
        text(
            """select asked.user_id, people.erased_at is not null as is_erased,
                      coalesce(people.private_activities, false) as private_activities,
                      listings.fetch_seq, listings.since, listings.until, (select before from retention) as kept_from
               from unnest(cast(:user_ids as uuid[])) as asked (user_id)
               left join people on people.user_id = asked.user_id
               left join listings on listings.user_id = asked.user_id"""
        ),
        {"user_ids": list(user_ids)},
    )
    people: dict[UUID, Person] = {}
    kept_from = None
    for user_id, is_erased, private_activities, fetch_seq, since, until, kept_from in rows:  # noqa: B007
        known = people[user_id].listings if user_id in people else ()
        new = () if fetch_seq is None else (Listing(fetch_seq, since, until),)
        people[user_id] = Person(is_erased, private_activities, (*known, *new))
    return people, kept_from


def _supersede(changes: str) -> str:
    """The statement with its old versions kept; it returns `old_` columns for all of _VERSION."""
    return f"""
        with saved as ({changes}), kept as (
            insert into activity_versions ({", ".join(_VERSION)})
            select strava_id, {", ".join(f"old_{name}" for name in _VERSION[1:])} from saved
            where is_versioned and old_version is not null
        )
        select * from saved order by strava_id"""  # noqa: S608 - made of the names of columns


_OLD = ", ".join(f"old.{name} as old_{name}" for name in _VERSION[1:])
#: Where the activity was among those that it could overlap.
_OLD_PLACE = (
    """old.user_id as old_user_id, old.start_at as old_start_at, cardinality(old.overlaps_with) > 0 as had_overlaps"""
)


def _upsert_statement() -> TextClause:
    """One statement a batch: the newest fetch wins, and what looks the same to others keeps its version.

    Whose an activity is belongs to its content: an athlete who was erased and joined again is another user. What was
    rejected may be accepted from the same fetch by a newer mapping.
    """
    content = ["user_id", *FACTS]
    columns = [*_EVIDENCE, *FACTS]
    old, new = (", ".join(f"{prefix}.{name}" for name in ["state", *content]) for prefix in ("t", "excluded"))
    changed = ", ".join(f"case when t.{name} is distinct from excluded.{name} then '{name}' end" for name in content)
    return text(
        _supersede(
            f"""
            insert into activities as t (version, seen_at, changed_at, {", ".join(columns)})
            select case when batch.state = 'recorded' then {NOW_US} end, now(), now(), batch.*
            from {batch_of(ActivityRow, columns)}
            on conflict (strava_id) do update set
                {", ".join(f"{name} = excluded.{name}" for name in ["fetch_seq", "state", *content])},
                seen_at = now(),
                (overlaps_with, version, message_id, changed_at, reason, changed) = (
                    select it.overlaps_with,
                        case when it.differs then {next_version("coalesce(t.version, 0)")} else t.version end,
                        case when it.is_news then excluded.message_id else t.message_id end,
                        case when it.is_news then now() else t.changed_at end,
                        case when it.differs and t.state <> 'recorded' and t.version is not null then 'restored'
                            when it.is_news then excluded.reason else t.reason end,
                        case when not it.differs then t.changed when t.state <> excluded.state then '{{}}'
                            else array_remove(array[{changed},
                                case when t.overlaps_with <> it.overlaps_with then 'overlaps_with' end], null) end
                    from (select known.*, known.differs or t.version is null as is_news from (
                        select (t.state = 'recorded' or excluded.state = 'recorded')
                                and ({old}) is distinct from ({new}) as differs,
                            case when excluded.state = 'recorded' and t.user_id = excluded.user_id
                                and excluded.elapsed_time_s > {TOLERANCE_S}
                                and excluded.local_start::time <> '00:00:01'
                                then t.overlaps_with else '{{}}' end as overlaps_with) as known) as it)
            where t.fetch_seq < excluded.fetch_seq
                or t.fetch_seq = excluded.fetch_seq and t.state = 'rejected' and excluded.state <> 'rejected'
            returning t.strava_id, t.user_id, t.version, t.state, t.reason, t.changed, t.message_id, t.overlaps_with,
                new.version is distinct from old.version as is_versioned,
                (old.start_at, old.elapsed_time_s, old.user_id) is distinct from
                    (new.start_at, new.elapsed_time_s, new.user_id) as has_moved,
                {_OLD}, {_OLD_PLACE}
            """  # noqa: S608 - made of the names of columns
        )
    )


_upsert = _upsert_statement()


async def upsert_evidence(session: AsyncSession, batch: Iterable[Evidence]) -> Sequence[Row[Any]]:
    """Store what Strava said, each `strava_id` once; returns the rows of those of which nothing newer was known."""
    rows = [
        {**vars(one), **(vars(one.activity) if one.activity is not None else _NO_FACTS), "strava_id": one.strava_id}
        for one in sorted(batch, key=lambda one: one.strava_id)
    ]
    columns = to_columns(rows, [*_EVIDENCE, *FACTS])
    columns["suspicions"] = [None if found is None else to_array_text(found) for found in columns["suspicions"]]
    return (await session.execute(_upsert, columns)).all()


_upsert_rejected = text(
    f"""
    insert into rejected as t (rejected_at, {", ".join(_REJECTED)})
    select now(), batch.* from {batch_of(RejectedRow, _REJECTED)}
    on conflict (strava_id) do update set rejected_at = excluded.rejected_at,
        {", ".join(f"{name} = excluded.{name}" for name in _REJECTED if name != "strava_id")}
    """  # noqa: S608 - made of the names of columns
)


async def upsert_rejected(session: AsyncSession, batch: Sequence[RejectedFetch]) -> None:
    """Keep why activities are not recorded, and what Strava said of them."""
    rows = [vars(one) for one in sorted(batch, key=lambda one: one.strava_id)]
    await session.execute(_upsert_rejected, to_columns(rows, _REJECTED))


async def delete_rejected(session: AsyncSession, strava_ids: Collection[int]) -> None:
    """These are not rejected any more."""
    await session.execute(
        text("delete from rejected where strava_id = any(cast(:ids as bigint[]))"), {"ids": sorted(strava_ids)}
    )


async def save_listing(session: AsyncSession, user_id: UUID, listing: Listing) -> None:
    """Remember the listing, and forget older ones of no wider window."""
    await session.execute(
        text(
            """insert into listings (user_id, fetch_seq, since, until)
               values (:user_id, :fetch_seq, :since, :until) on conflict do nothing"""
        ),
        {"user_id": user_id, **vars(listing)},
    )
    await session.execute(
        text(
            """delete from listings as t using listings as newer
               where t.user_id = :user_id and newer.user_id = :user_id and t.fetch_seq < newer.fetch_seq
                   and t.until <= newer.until and (newer.since is null or t.since >= newer.since)"""
        ),
        {"user_id": user_id},
    )


def _remove_statement(condition: str) -> TextClause:
    """Take activities off the record that meet the condition."""
    return text(
        _supersede(
            f"""
            update activities as t set state = :state, version = {next_version("t.version")}, reason = :state_reason,
                message_id = :message_id, changed_at = now(), changed = '{{}}', overlaps_with = '{{}}',
                {", ".join(f"{name} = null" for name in FACTS)}
            where t.state = 'recorded' and {condition}
            returning t.strava_id, t.user_id, t.version, t.reason, t.message_id, true as is_versioned,
                {_OLD}, {_OLD_PLACE}
            """  # noqa: S608 - made of the names of columns
        )
    )


_is_unnamed = (
    "not exists (select from unnest(cast(:listed as bigint[])) as listed (id) where listed.id = t.strava_id)"
)


def _is_within(prefix: str) -> str:
    first, last = f"cast(:{prefix}_first as timestamptz)", f"cast(:{prefix}_last as timestamptz)"
    return f"({first} is null or t.start_at >= {first}) and t.start_at <= {last}"


_remove_unlisted = _remove_statement(
    f"""t.user_id = :user_id and t.fetch_seq < :fetch_seq and {_is_unnamed}
        and (not t.start_is_hidden and {_is_within("shown")} or t.start_is_hidden and {_is_within("hidden")})""",
)
_unlist_rejected = text(
    f"""
    with gone as (
        delete from rejected as t where t.user_id = :user_id and t.fetch_seq < :fetch_seq and {_is_unnamed}
            and ({_is_within("hidden")} or t.start_at is null and cast(:hidden_first as timestamptz) is null)
        returning strava_id)
    update activities set state = 'removed' from gone where activities.strava_id = gone.strava_id
    """  # noqa: S608 - made of constants
)


async def remove_unlisted(
    session: AsyncSession, user_id: UUID, listing: Listing, listed: Sequence[int], message_id: UUID
) -> Sequence[Row[Any]]:
    """Take off the record what a complete listing does not name; what was rejected is forgotten likewise."""
    hidden_first, hidden_last = listing.bounds(start_is_hidden=True)
    hidden = {"hidden_first": hidden_first, "hidden_last": hidden_last}
    parameters = {"user_id": user_id, "fetch_seq": listing.fetch_seq, "listed": list(listed), **hidden}
    await session.execute(_unlist_rejected, parameters)
    shown_first, shown_last = listing.bounds(start_is_hidden=False)
    cause = {"state": "removed", "state_reason": "not_listed", "message_id": message_id}
    shown = {"shown_first": shown_first, "shown_last": shown_last}
    return (await session.execute(_remove_unlisted, {**parameters, **shown, **cause})).all()


_remove_private = _remove_statement("t.user_id = :user_id and t.visibility = 'only_me'")


async def remove_private(session: AsyncSession, user_id: UUID, message_id: UUID) -> Sequence[Row[Any]]:
    """Take off the record what only its owner sees at Strava."""
    cause = {"state": "private", "state_reason": "private", "message_id": message_id}
    return (await session.execute(_remove_private, {"user_id": user_id, **cause})).all()


async def list_rejected_after(session: AsyncSession, after: int, limit: int) -> Sequence[Row[Any]]:
    """Rejected activities that can be tried again, by id."""
    rows = await session.execute(
        text(
            """select rejected.*, activities.message_id from rejected join activities using (strava_id)
               where rejected.strava_id > :after and fields is not null order by rejected.strava_id limit :limit"""
        ),
        {"after": after, "limit": limit},
    )
    return rows.all()
