"""What ingest does on events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from datetime import tzinfo

from sqlalchemy.ext.asyncio import AsyncSession

from ingest import queries
from ingest.queries import Fetched, RejectedFetch, Removed, Saved
from ingest.rules import Activity, RawActivity, map_activity
from shared.contracts.events import (
    ActivityFetched,
    ActivityRecorded,
    ActivityRemoved,
    ActivityRevised,
    AthleteListed,
    UserErased,
)
from shared.messaging.inbox import BatchHandler, Handlers
from shared.messaging.outbox import emit

_RAW_FIELDS = {field.name for field in fields(RawActivity)}


def make_record_handler(
    default_time_zone: tzinfo,
) -> Callable[[Sequence[ActivityFetched], AsyncSession], Awaitable[None]]:
    """The handler of fetched activities; `default_time_zone` is that of activities that do not name theirs."""

    async def record_activities(events: Sequence[ActivityFetched], session: AsyncSession) -> None:
        """The newest fetch of an activity decides, whether it can be recorded or not."""
        await queries.lock_recording(session)
        erased = await queries.list_erased(session, {event.user_id for event in events})
        fetches = [event for event in events if event.user_id not in erased]
        newest = {event.id: event for event in sorted(fetches, key=lambda event: event.fetch_seq)}
        accepted: dict[int, Fetched] = {}
        rejected: list[RejectedFetch] = []
        for event in newest.values():
            outcome = map_activity(RawActivity(**event.model_dump(include=_RAW_FIELDS)), default_time_zone)
            if isinstance(outcome, Activity):
                accepted[event.id] = Fetched(event.user_id, event.fetch_seq, outcome)
            else:
                rejected.append(RejectedFetch(event.user_id, event.fetch_seq, outcome))
        if accepted:
            saved = await queries.save_activities(session, list(accepted.values()))
            await emit(session, *(_to_event(one, accepted[one.strava_id]) for one in saved))
        if rejected:
            await emit(session, *map(_to_removed_event, await queries.save_rejected(session, rejected)))

    return record_activities


def _to_event(saved: Saved, fetched: Fetched) -> ActivityRecorded | ActivityRevised:
    kind = ActivityRecorded if saved.is_new or saved.was_removed else ActivityRevised
    return kind(
        user_id=fetched.user_id,
        version=saved.version,
        reason="restored" if saved.was_removed else "fetched",
        **asdict(fetched.activity),
    )


def _to_removed_event(removed: Removed) -> ActivityRemoved:
    return ActivityRemoved(
        user_id=removed.user_id, strava_id=removed.strava_id, version=removed.version, reason="not_listed"
    )


async def remove_unlisted(event: AthleteListed, session: AsyncSession) -> None:
    """What a complete listing does not name is gone from Strava."""
    await queries.lock_recording(session)
    if await queries.list_erased(session, [event.user_id]):
        return
    await queries.save_listing(session, event.user_id, event.fetch_seq, event.after, event.before)
    removed = await queries.remove_unlisted(
        session, event.user_id, event.fetch_seq, (event.after, event.before), event.strava_ids
    )
    await emit(session, *map(_to_removed_event, removed))


async def erase_users(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Nothing is emitted: `user.erased` itself tells every subscriber to delete what it has of them."""
    await queries.lock_recording(session)
    await queries.erase_users(session, {event.user_id: event.erased_at for event in events})


def make_handlers(default_time_zone: tzinfo) -> Handlers:
    """The handler of each event."""
    return {
        ActivityFetched: BatchHandler(make_record_handler(default_time_zone)),
        AthleteListed: remove_unlisted,
        UserErased: BatchHandler(erase_users),
    }
