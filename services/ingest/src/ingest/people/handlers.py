"""What ingest does when somebody is erased, or chooses what of them is recorded."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from ingest.people import queries
from ingest.recording.queries import remove_private
from ingest.recording.use_cases import save_removals
from shared.contracts.events import ParticipantPrivacyChanged, UserErased
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import BatchHandler, DeliveryHandler, Handlers


async def erase_users(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Nothing is emitted: `user.erased` itself tells every subscriber to delete what it has of them."""
    await queries.erase_users(session, {event.user_id: event.erased_at for event in events})


async def choose_privacy(deliveries: Sequence[Delivery], session: AsyncSession) -> None:
    """Private activities are recorded from their next fetch on, or leave the record at once."""
    for delivery in deliveries:
        event = delivery.event
        assert isinstance(event, ParticipantPrivacyChanged)
        is_news = await queries.save_choice(
            session, event.user_id, event.changed_at, private_activities=event.private_activities
        )
        if is_news and not event.private_activities:
            await save_removals(session, await remove_private(session, event.user_id, delivery.message_id))


PEOPLE_HANDLERS: Handlers = {
    UserErased: BatchHandler(erase_users),
    ParticipantPrivacyChanged: DeliveryHandler(choose_privacy),
}
