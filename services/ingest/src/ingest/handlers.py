"""What ingest does on events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import tzinfo
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from ingest import queries
from ingest.queries import Fetched, RejectedFetch, Removed, Saved, Vanished
from ingest.rules import Activity, RawActivity, map_activity
from shared.contracts.events import (
    ActivityFetched,
    ActivityRecorded,
    ActivityRemoved,
    ActivityRevised,
    ActivityVanished,
    AthleteListed,
    UserErased,
)
from shared.messaging.inbox import BatchHandler, Handlers
from shared.messaging.outbox import emit


def make_record_handler(
    default_time_zone: tzinfo,
) -> Callable[[Sequence[ActivityFetched], AsyncSession], Awaitable[None]]:
    """The handler of fetched activities; `default_time_zone` is that of activities that do not name theirs."""

    async def record_activities(events: Sequence[ActivityFetched], session: AsyncSession) -> None:
        """The newest fetch of an activity decides, whether it can be recorded or not."""
        await queries.lock_recording(session)
        erased = await queries.list_erased(session, {event.user_id for event in events})
        fetches = sorted((event for event in events if event.user_id not in erased), key=lambda one: one.fetch_seq)
        newest = {activity.id: (event, activity) for event in fetches for activity in event.activities}
        accepted: dict[int, Fetched] = {}
        rejected: list[RejectedFetch] = []
        for event, activity in newest.values():
            outcome = map_activity(RawActivity(**vars(activity)), default_time_zone)
            if isinstance(outcome, Activity):
                accepted[activity.id] = Fetched(event.user_id, event.fetch_seq, outcome)
            else:
                rejected.append(RejectedFetch(event.user_id, event.fetch_seq, outcome))
        if accepted:
            saved = await queries.save_activities(session, list(accepted.values()))
            await emit(session, *(_to_event(one, accepted[one.strava_id]) for one in saved))
        if rejected:
            gone = await queries.save_rejected(session, rejected)
            await emit(session, *(_to_removed_event(one, "not_listed") for one in gone))

    return record_activities


def _to_event(saved: Saved, fetched: Fetched) -> ActivityRecorded | ActivityRevised:
    kind = ActivityRecorded if saved.is_new or saved.was_removed else ActivityRevised
    return kind(
        user_id=fetched.user_id,
        version=saved.version,
        reason="restored" if saved.was_removed else "fetched",
        **asdict(fetched.activity),
    )


def _to_removed_event(removed: Removed, reason: Literal["not_listed", "deleted", "not_found"]) -> ActivityRemoved:
    return ActivityRemoved(
        user_id=removed.user_id, strava_id=removed.strava_id, version=removed.version, reason=reason
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
    await emit(session, *(_to_removed_event(one, "not_listed") for one in removed))


async def remove_vanished(events: Sequence[ActivityVanished], session: AsyncSession) -> None:
    """Strava does not show them any more: what was fetched before that stays away, however late it arrives."""
    await queries.lock_recording(session)
    erased = await queries.list_erased(session, {event.user_id for event in events})
    known = sorted((event for event in events if event.user_id not in erased), key=lambda one: one.fetch_seq)
    newest = {event.strava_id: event for event in known}
    if newest:
        vanished = [Vanished(one.user_id, one.strava_id, one.fetch_seq) for one in newest.values()]
        removed = await queries.remove_vanished(session, vanished)
        await emit(session, *(_to_removed_event(one, newest[one.strava_id].reason) for one in removed))


async def erase_users(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Nothing is emitted: `user.erased` itself tells every subscriber to delete what it has of them."""
    await queries.lock_recording(session)
    await queries.erase_users(session, {event.user_id: event.erased_at for event in events})


def make_handlers(default_time_zone: tzinfo) -> Handlers:
    """The handler of each event."""
    return {
        ActivityFetched: BatchHandler(make_record_handler(default_time_zone)),
        ActivityVanished: BatchHandler(remove_vanished),
        AthleteListed: remove_unlisted,
        UserErased: BatchHandler(erase_users),
    }
