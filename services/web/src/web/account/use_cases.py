"""What people do with their account, here and in the services that know them."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from starlette.responses import RedirectResponse

from shared.contracts import auth_api
from shared.contracts.auth_api import MAX_DISPLAY_NAME
from shared.contracts.leaderboard_api import ParticipantStatus
from shared.errors import AppError, Invalid, NotFound, Unavailable
from web.clients.participants import ParticipantsClient
from web.http import queries
from web.http.dependencies import AppContext, User, go_to
from web.http.sentences import Sentence, describe_refusal, sentence

PRIVATE_SCOPE = "activity:read_all"
GOODBYE = "/goodbye"

_WRONG_NAME = sentence("A name has 1 to %(most)s characters.", most=MAX_DISPLAY_NAME)


class Erased(Exception):
    """auth does not know the user any more: they were erased, and the event has not come here yet.

    Whatever page they asked for, the answer is `end_account`.
    """

    def __init__(self, user_id: UUID) -> None:
        super().__init__(str(user_id))
        self.user_id = user_id


@dataclass(frozen=True)
class Account:
    """What the services know of a user; None: they cannot be asked now, or do not know them yet."""

    known: auth_api.User | None
    status: ParticipantStatus | None

    @property
    def reads_private(self) -> bool:
        """Whether Strava was allowed to show their private activities, as far as is known."""
        return self.known is None or PRIVATE_SCOPE in self.known.scopes


async def load_account(context: AppContext, user: User) -> Account:
    """What can be known of the user now. Raises Erased."""
    known, status = await asyncio.gather(_find_known(context, user), find_status(context, user))
    return Account(known, status)


async def get_known(context: AppContext, user: User) -> auth_api.User:
    """What auth knows of the user. Raises Erased, Unavailable, TooManyRequests."""
    try:
        return await context.auth.get_user(user.id)
    except NotFound:
        raise Erased(user.id) from None


async def _find_known(context: AppContext, user: User) -> auth_api.User | None:
    try:
        return await get_known(context, user)
    except AppError:
        return None


async def find_status(context: AppContext, user: User) -> ParticipantStatus | None:
    """What the user chose and how fetching goes; None while leaderboard is away, or has not heard of them."""
    try:
        return await ParticipantsClient(context.leaderboard, user.id).get_status()
    except (NotFound, Unavailable):
        return None


async def rename(context: AppContext, user: User, display_name: str) -> Sentence | None:
    """Give the user another name, which the next page shows; returns what is wrong with it. Raises Erased."""
    name = display_name.strip()
    if not 1 <= len(name) <= MAX_DISPLAY_NAME:
        return _WRONG_NAME
    try:
        renamed = await context.auth.rename(user.id, name)
    except NotFound:
        raise Erased(user.id) from None
    except Invalid:
        return _WRONG_NAME
    except AppError as error:
        return describe_refusal(error)[""]
    async with context.database.transaction() as session:
        await queries.rename_sessions(session, user.id, renamed.display_name, context.clock())
    return None


async def disconnect(context: AppContext, user: User) -> None:
    """Disconnect Strava, which the next page says. Raises Erased, and what auth refuses with."""
    try:
        await context.auth.disconnect(user.id)
    except NotFound:
        raise Erased(user.id) from None
    async with context.database.transaction() as session:
        await queries.change_strava(session, user.id, "disconnected", context.clock())


async def erase(context: AppContext, user: User) -> None:
    """Have everything about the user deleted. Raises what auth refuses with."""
    try:
        await context.auth.erase(user.id)
    except NotFound:  # in another tab
        return


async def end_account(context: AppContext, user_id: UUID) -> RedirectResponse:
    """Sign who was erased out everywhere, without waiting for the event, and say goodbye."""
    async with context.database.transaction() as session:
        await queries.delete_sessions_of(session, user_id)
        await queries.delete_snapshots_of(session, user_id)
    response = go_to(GOODBYE)
    context.cookies.clear(response, context.cookies.session)
    return response
