"""What ingest does when Strava shows activities, or does not show them any more."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import tzinfo

from sqlalchemy.ext.asyncio import AsyncSession

from ingest.recording import queries
from ingest.recording.queries import Evidence
from ingest.recording.rules.listings import Listing
from ingest.recording.rules.mapping import RawActivity
from ingest.recording.use_cases import Fetch, record_fetches, save_evidence, save_removals
from shared.contracts.events import ActivityFetched, ActivityVanished, AthleteListed, UserEvent
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import DeliveryHandler, Handlers


async def lock_people(events: Sequence[object], session: AsyncSession) -> None:
    """Of whomever a batch tells something, nobody else writes until it is committed."""
    user_ids = {event.user_id for event in events if isinstance(event, UserEvent)}
    if user_ids:
        await queries.lock_people(session, user_ids)


def make_record_handler(
    default_time_zone: tzinfo,
) -> Callable[[Sequence[Delivery], AsyncSession], Awaitable[None]]:
    """The handler of fetched activities; `default_time_zone` is that of activities that do not name theirs."""

    async def record_activities(deliveries: Sequence[Delivery], session: AsyncSession) -> None:
        """The newest fetch of an activity decides, whether it can be recorded or not."""
        fetches = [
            Fetch(
                delivery.message_id, event.user_id, event.fetch_seq, event.fetched_at, RawActivity(**vars(activity))
            )
            for delivery in deliveries
            if isinstance(event := delivery.event, ActivityFetched)
            for activity in event.activities
        ]
        await record_fetches(session, fetches, default_time_zone)

    return record_activities


async def remove_vanished(deliveries: Sequence[Delivery], session: AsyncSession) -> None:
    """Strava does not show them any more: what was fetched before that stays away, however late it arrives."""
    gone = [
        Evidence(
            strava_id=event.strava_id,
            user_id=event.user_id,
            fetch_seq=event.fetch_seq,
            message_id=delivery.message_id,
            state="removed",
            reason=event.reason,
        )
        for delivery in deliveries
        if isinstance(event := delivery.event, ActivityVanished)
    ]
    people, _ = await queries.load_people(session, {one.user_id for one in gone})
    known = sorted((one for one in gone if not people[one.user_id].is_erased), key=lambda one: one.fetch_seq)
    newest = {one.strava_id: one for one in known}
    if newest:
        await save_evidence(session, newest.values())


async def remove_unlisted(deliveries: Sequence[Delivery], session: AsyncSession) -> None:
    """What a complete listing does not name is gone from Strava."""
    user_ids = {delivery.event.user_id for delivery in deliveries if isinstance(delivery.event, AthleteListed)}
    people, _ = await queries.load_people(session, user_ids)
    for delivery in deliveries:
        event = delivery.event
        if not isinstance(event, AthleteListed) or people[event.user_id].is_erased:
            continue
        listing = Listing(event.fetch_seq, event.after, event.before)
        await queries.save_listing(session, event.user_id, listing)
        removed = await queries.remove_unlisted(
            session, event.user_id, listing, event.strava_ids, delivery.message_id
        )
        await save_removals(session, removed)


def make_record_handlers(default_time_zone: tzinfo) -> Handlers:
    """The handler of each event from sync."""
    return {
        ActivityFetched: DeliveryHandler(make_record_handler(default_time_zone)),
        ActivityVanished: DeliveryHandler(remove_vanished),
        AthleteListed: DeliveryHandler(remove_unlisted),
    }
