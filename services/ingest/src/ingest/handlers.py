"""Reactions of ingest to events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from datetime import tzinfo

from sqlalchemy.ext.asyncio import AsyncSession

from ingest import domain, queries
from ingest.domain import Activity, RawActivity
from ingest.queries import Fetched, RejectedFetch, Saved
from shared.contracts.events import ActivityFetched, ActivityRecorded, ActivityRemoved, ActivityRevised, AthleteListed
from shared.messaging.inbox import BatchHandler, Handlers
from shared.messaging.outbox import emit

_RAW_FIELDS = {field.name for field in fields(RawActivity)}


def make_record_handler(home: tzinfo) -> Callable[[Sequence[ActivityFetched], AsyncSession], Awaitable[None]]:
    """The reaction to fetched activities; `home` is the zone of those that do not name theirs."""

    async def record_activities(events: Sequence[ActivityFetched], session: AsyncSession) -> None:
        """The newest fetch of an activity decides, whether it can be recorded or not."""
        newest = {event.id: event for event in sorted(events, key=lambda event: event.fetch_seq)}
        good: dict[int, Fetched] = {}
        bad: list[RejectedFetch] = []
        for event in newest.values():
            outcome = domain.map_activity(RawActivity(**event.model_dump(include=_RAW_FIELDS)), home)
            if isinstance(outcome, Activity):
                good[event.id] = Fetched(event.user_id, event.fetch_seq, outcome)
            else:
                bad.append(RejectedFetch(event.user_id, event.fetch_seq, outcome))
        await queries.lock_recording(session)
        if good:
            saved = await queries.save_activities(session, list(good.values()))
            await emit(session, *(_told(one, good[one.strava_id]) for one in saved))
        if bad:
            await emit(session, *map(_gone, await queries.save_rejected(session, bad)))

    return record_activities


def _told(saved: Saved, fetched: Fetched) -> ActivityRecorded | ActivityRevised:
    kind = ActivityRecorded if saved.is_new or saved.was_removed else ActivityRevised
    return kind(
        user_id=fetched.user_id,
        version=saved.version,
        reason="restored" if saved.was_removed else "fetched",
        **asdict(fetched.activity),
    )


def _gone(removed: queries.Removed) -> ActivityRemoved:
    return ActivityRemoved(
        user_id=removed.user_id, strava_id=removed.strava_id, version=removed.version, reason="not_listed"
    )


async def remove_unlisted(event: AthleteListed, session: AsyncSession) -> None:
    """What a complete listing does not name is gone from Strava."""
    await queries.lock_recording(session)
    await queries.save_listing(session, event.user_id, event.fetch_seq, event.after, event.before)
    removed = await queries.remove_unlisted(
        session, event.user_id, event.fetch_seq, (event.after, event.before), event.strava_ids
    )
    await emit(session, *map(_gone, removed))


def handlers(home: tzinfo) -> Handlers:
    """Which event is handled by what."""
    return {ActivityFetched: BatchHandler(make_record_handler(home)), AthleteListed: remove_unlisted}
