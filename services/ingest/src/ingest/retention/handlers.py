"""What ingest does when older activities are not kept any more."""

from sqlalchemy.ext.asyncio import AsyncSession

from ingest.retention import queries
from shared.contracts.events import RetentionAdvanced
from shared.messaging.inbox import Handlers


async def advance_retention(event: RetentionAdvanced, session: AsyncSession) -> None:
    """Older activities are not recorded from now on; those on record are deleted in the background."""
    await queries.save_retention(session, event.before, event.advanced_at)


RETENTION_HANDLERS: Handlers = {RetentionAdvanced: advance_retention}
