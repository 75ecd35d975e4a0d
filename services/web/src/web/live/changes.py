"""What open pages are told of a challenge: only that it changed, whereupon they ask for their content again."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from sse_starlette import ServerSentEvent

from shared.contracts.events import Event, StandingsChanged, SyncFinished
from shared.contracts.leaderboard_api import ChallengeInfo
from shared.errors import NotFound, Unavailable
from web.clients.leaderboard import LeaderboardClient
from web.live.messages import PING

TOLD_PER_S = 50  # pages that one replica tells of changes; each of them asks for its content then
INTERVAL_S = 3.0  # between what one page is told, at least
CHECK_INTERVAL_S = 30.0  # an event may be missed while the broker is away
RETRY_INTERVAL_S = 3.0  # after a failure
OWN_INTERVAL_S = 60.0  # of pages about one person: what counts nowhere changes no challenge
OWN_DELAY_S = 2.0  # for what was fetched on its way through ingest and leaderboard

EVENT_NAME = "challenge-changed"  # which `static/updates.js` and the templates know


@dataclass
class _State:
    """What is known of one challenge; revision 0: nothing."""

    challenge: ChallengeInfo | None = None
    revision: int = 0
    check_at: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    readers: set["_Reader"] = field(default_factory=set)

    def is_news(self, known: str) -> bool:
        """Whether who knows that revision has to be told of this one."""
        return self.revision > 0 and str(self.revision) != known

    def note(self, revision: int) -> None:
        if revision > self.revision:
            self.revision = revision
            for reader in self.readers:
                reader.woken.set()


@dataclass(eq=False)
class _Reader:
    """An open page; `user_id` is whom it is about, if their activities alone change it, too."""

    user_id: UUID | None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_fetched: bool = False

    async def wait(self) -> bool:
        """Until something happens; False if a person's page has been told nothing for long."""
        try:
            async with asyncio.timeout(OWN_INTERVAL_S if self.user_id else None):
                await self.woken.wait()
        except TimeoutError:
            return False
        self.woken.clear()
        return True


class Changes:
    """The revisions of the challenges that are looked at, and who has to be told of new ones."""

    def __init__(
        self,
        leaderboard: LeaderboardClient,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._leaderboard = leaderboard
        self._clock = clock
        self._pause = pause
        self._states: dict[str, _State] = {}

    async def note_change(self, event: Event) -> None:
        """Something of a challenge changed."""
        assert isinstance(event, StandingsChanged)
        self._states.setdefault(event.challenge, _State()).note(event.revision)

    async def note_fetch(self, event: Event) -> None:
        """Activities of somebody were fetched, maybe some that count nowhere."""
        assert isinstance(event, SyncFinished)
        for state in self._states.values():
            for reader in state.readers:
                if reader.user_id == event.user_id:
                    reader.is_fetched = True
                    reader.woken.set()

    async def find_revision(self, challenge: ChallengeInfo) -> int:
        """Which revision a page has at least that is made now; 0 while that is not known."""
        state = self._state(challenge)
        if not state.revision:
            async with state.asking:  # many readers cost one question
                if self._clock() >= state.check_at:
                    await self._ask(state)
        return state.revision

    async def check(self) -> bool:
        """Ask for revisions that may have been missed, of what is looked at. A step of a periodic task."""
        for state in list(self._states.values()):
            if state.readers and self._clock() >= state.check_at:
                await self._ask(state)
        return False

    async def stream(self, challenge: ChallengeInfo, known: str, user_id: UUID | None = None) -> AsyncIterator[bytes]:
        """An event whenever the revision is not the one that the page knows; for some person's page more often."""
        state, reader = self._state(challenge), _Reader(user_id)
        state.readers.add(reader)
        try:
            yield PING  # so that whatever is in between passes on the headers
            while True:
                while not (reader.is_fetched or state.is_news(known)):
                    if not await reader.wait():
                        break
                await self._pause(OWN_DELAY_S if reader.is_fetched else random.uniform(0, self._spread_s))  # noqa: S311
                reader.is_fetched = False
                known = str(state.revision)
                yield ServerSentEvent(event=EVENT_NAME, id=known).encode()
                await self._pause(max(INTERVAL_S, self._spread_s))
        finally:
            state.readers.discard(reader)

    @property
    def _spread_s(self) -> float:
        """In how many seconds all open pages are told, so that they do not ask at once."""
        return sum(len(state.readers) for state in self._states.values()) / TOLD_PER_S

    def _state(self, challenge: ChallengeInfo) -> _State:
        state = self._states.setdefault(challenge.slug, _State())
        state.challenge = challenge
        return state

    async def _ask(self, state: _State) -> None:
        state.check_at = self._clock() + CHECK_INTERVAL_S
        challenge = state.challenge
        if challenge is None or not challenge.boards:
            return
        try:
            found = await self._leaderboard.standings(challenge.slug, challenge.boards[0].slug, limit=1)
            state.note(found.revision)
        except (NotFound, Unavailable):
            state.check_at = self._clock() + RETRY_INTERVAL_S
