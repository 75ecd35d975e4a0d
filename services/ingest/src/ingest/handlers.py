"""Reactions of ingest to events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from datetime import tzinfo

from sqlalchemy.ext.asyncio import AsyncSession

from ingest import domain, queries
from ingest.domain import Activity, RawActivity
from ingest.queries import Fetched, Saved
from shared.consumer import Batched, Handlers
from shared.events import ActivityFetched, ActivityRecorded, ActivityRemoved, ActivityRevised, AthleteListed
from shared.outbox import emit

_RAW_FIELDS = {field.name for field in fields(RawActivity)}


def recorder(home: tzinfo) -> Callable[[Sequence[ActivityFetched], AsyncSession], Awaitable[None]]:
    """The reaction to fetched activities; `home` is the zone of those that do not name theirs."""

    async def record_activities(events: Sequence[ActivityFetched], session: AsyncSession) -> None:
        newest = {event.id: event for event in sorted(events, key=lambda event: event.fetch_seq)}
        mapped: dict[int, Fetched] = {}
        for event in newest.values():
            outcome = domain.map_activity(RawActivity(**event.model_dump(include=_RAW_FIELDS)), home)
            if isinstance(outcome, Activity):
                mapped[event.id] = Fetched(event.user_id, event.fetch_seq, outcome)
            else:
                await queries.save_rejected(session, event.user_id, event.fetch_seq, outcome)
        if mapped:
            saved = await queries.save_activities(session, list(mapped.values()))
            await queries.forget_rejected(session, list(mapped))
            await emit(session, *(_told(one, mapped[one.strava_id]) for one in saved))

    return record_activities


def _told(saved: Saved, fetched: Fetched) -> ActivityRecorded | ActivityRevised:
    kind = ActivityRecorded if saved.is_new or saved.was_removed else ActivityRevised
    return kind(
        user_id=fetched.user_id,
        version=saved.version,
        reason="restored" if saved.was_removed else "fetched",
        **asdict(fetched.activity),
    )


async def remove_unlisted(event: AthleteListed, session: AsyncSession) -> None:
    """What a complete listing does not name is gone from Strava."""
    removed = await queries.remove_unlisted(
        session, event.user_id, event.fetch_seq, (event.after, event.before), event.strava_ids
    )
    await emit(
        session,
        *(
            ActivityRemoved(user_id=event.user_id, strava_id=strava_id, version=version, reason="not_listed")
            for strava_id, version in removed
        ),
    )


def handlers(home: tzinfo) -> Handlers:
    """Which event is handled by what."""
    return {ActivityFetched: Batched(recorder(home)), AthleteListed: remove_unlisted}
