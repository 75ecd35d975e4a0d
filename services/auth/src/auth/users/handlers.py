"""What auth does on events."""

from sqlalchemy.ext.asyncio import AsyncSession

from auth.token_encryption import Keyring
from auth.users import use_cases
from shared.contracts.events import ParticipantExpired, StravaDeauthorizationReported
from shared.messaging.inbox import Handlers


def make_handlers(keyring: Keyring) -> Handlers:
    """The handler of each event; the keyring is for the tokens of those who are erased."""

    async def check_deauthorization(event: StravaDeauthorizationReported, session: AsyncSession) -> None:
        await use_cases.schedule_deauthorization_check(session, event.athlete_id, event.event_time)

    async def erase_expired_user(event: ParticipantExpired, session: AsyncSession) -> None:
        await use_cases.erase_expired(keyring, session, event.user_id, event.authorized_at)

    return {StravaDeauthorizationReported: check_deauthorization, ParticipantExpired: erase_expired_user}
