"""SQL of webhook events and of our subscription."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import batch_of, to_columns
from sync.budget.queries import ensure_application
from sync.tables import AthleteRow, StravaApplicationRow, WebhookEventRow


@dataclass(frozen=True)
class Change:
    """That something about an activity changed at that time, in epoch seconds."""

    athlete_id: int
    strava_id: int
    aspect: str
    event_time: int


@dataclass(frozen=True)
class Recipient:
    """Whom an event is about."""

    user_id: UUID
    last_fetched_at: datetime | None


@dataclass(frozen=True)
class Subscription:
    """What is known of our subscription at Strava; `id` None without one."""

    id: int | None
    checked_at: datetime | None
    problem: str | None


async def lock_recipients(session: AsyncSession, athlete_ids: Collection[int]) -> dict[int, Recipient]:
    """Those of the athletes who may be fetched, by athlete id, locked until the transaction ends.

    So whatever is stored of them before a fetch begins is seen by it.
    """
    rows = await session.execute(
        select(AthleteRow.athlete_id, AthleteRow.user_id, AthleteRow.last_fetched_at)
        .where(AthleteRow.athlete_id.in_(athlete_ids), AthleteRow.status == "authorized")
        .order_by(AthleteRow.user_id)
        .with_for_update(key_share=True)
    )
    return {row.athlete_id: Recipient(row.user_id, row.last_fetched_at) for row in rows}


async def find_subscription_id(session: AsyncSession) -> int | None:
    """Our subscription; None while it is not known."""
    return await session.scalar(select(StravaApplicationRow.subscription_id))


_CHANGE = ["athlete_id", "strava_id", "aspect", "event_time"]
_add_events = text(
    f"""insert into webhook_events (received_at, {", ".join(_CHANGE)})
        select :now, batch.* from {batch_of(WebhookEventRow, _CHANGE)}
        on conflict do nothing returning {", ".join(_CHANGE)}"""  # noqa: S608 - made of the names of columns
)


async def add_events(session: AsyncSession, changes: Collection[Change], now: datetime) -> set[Change]:
    """Store events; returns those that were not stored before."""
    columns = to_columns(map(vars, changes), _CHANGE)
    added = await session.execute(_add_events, {**columns, "now": now})
    return {Change(*row) for row in added}


async def lock_subscription(session: AsyncSession) -> bool:
    """Whether this is the only process that checks the subscription, until the transaction ends."""
    lock = "select pg_try_advisory_xact_lock(hashtextextended('subscription', 0))"
    return bool(await session.scalar(text(lock)))


async def find_subscription(session: AsyncSession) -> Subscription:
    """What was known of it when it was checked last."""
    row = await session.get(StravaApplicationRow, 1)
    if row is None:
        return Subscription(None, None, None)
    return Subscription(row.subscription_id, row.subscription_checked_at, row.subscription_problem)


async def save_subscription(
    session: AsyncSession, subscription_id: int | None, problem: str | None, now: datetime
) -> None:
    """Store what a check has found."""
    await ensure_application(session)
    await session.execute(
        update(StravaApplicationRow).values(
            subscription_id=subscription_id, subscription_problem=problem, subscription_checked_at=now
        )
    )


async def find_listening_at(session: AsyncSession) -> datetime | None:
    """When a receiver was last known to run; the row is locked."""
    await ensure_application(session)
    row = await session.execute(select(StravaApplicationRow.listening_at).with_for_update())
    return row.scalar_one()


async def save_listening(session: AsyncSession, now: datetime, *, gap_ended_at: datetime | None = None) -> None:
    """A receiver runs; with `gap_ended_at`, events may have been missed until then."""
    values = {"listening_at": now} | ({} if gap_ended_at is None else {"gap_ended_at": gap_ended_at})
    await session.execute(update(StravaApplicationRow).values(values))


async def purge_events(
    session: AsyncSession, handled_before: datetime, received_before: datetime, batch: int = 5_000
) -> bool:
    """Delete some events that were handled long ago, or never, as of who left; returns whether there may be more."""
    gone = await session.execute(
        text(
            """delete from webhook_events where id = any(array(
                   select id from webhook_events
                   where handled_at < :handled or (handled_at is null and received_at < :received) limit :batch))"""
        ),
        {"handled": handled_before, "received": received_before, "batch": batch},
    )
    return bool(gone.rowcount == batch)  # type: ignore[attr-defined]
