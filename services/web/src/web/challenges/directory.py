"""All challenges in memory: an address with a name that does not exist costs leaderboard nothing."""

import asyncio
import time
from collections.abc import Callable

import structlog
from pydantic import BaseModel

from shared.contracts.leaderboard_api import ChallengeInfo
from shared.database.engine import Database, is_transient
from shared.errors import Unavailable
from web.clients.leaderboard import LeaderboardClient
from web.http import queries

MAX_AGE_S = 5.0
RETRY_INTERVAL_S = 3.0  # after a failure no request waits for another one
SNAPSHOT = "challenges"

log = structlog.stdlib.get_logger(__name__)


class _Challenges(BaseModel):
    challenges: tuple[ChallengeInfo, ...]


class ChallengeDirectory:
    """Every challenge, also those that not everybody may see; asked for at most once in MAX_AGE_S."""

    def __init__(
        self, leaderboard: LeaderboardClient, database: Database, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._leaderboard = leaderboard
        self._database = database
        self._clock = clock
        self._challenges: tuple[ChallengeInfo, ...] | None = None
        self._fetch_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def list(self) -> tuple[ChallengeInfo, ...]:
        """What comes first goes to the home page; while leaderboard is away, those last known. Raises Unavailable."""
        if self._challenges is None or self._clock() >= self._fetch_at:
            async with self._fetching:  # many readers cost one question
                if self._challenges is None or self._clock() >= self._fetch_at:
                    await self._fetch()
        if self._challenges is None:
            raise Unavailable
        return self._challenges

    async def find(self, slug: str) -> ChallengeInfo | None:
        """The challenge with that slug. Raises Unavailable."""
        return next((one for one in await self.list() if one.slug == slug), None)

    def mark_stale(self) -> None:
        """Ask again when the next visitor comes."""
        self._fetch_at = float("-inf")

    async def _fetch(self) -> None:
        try:
            challenges = await self._leaderboard.list_challenges()
        except Unavailable:
            self._fetch_at = self._clock() + RETRY_INTERVAL_S
            if self._challenges is None:
                self._challenges = await self._load_snapshot()
            return
        self._fetch_at = self._clock() + MAX_AGE_S
        if challenges != self._challenges:
            self._challenges = challenges
            await self._save_snapshot(challenges)

    async def _save_snapshot(self, challenges: tuple[ChallengeInfo, ...]) -> None:
        try:
            async with self._database.transaction() as session:
                await queries.save_snapshot(session, SNAPSHOT, 0, _Challenges(challenges=challenges))
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("snapshot not saved", snapshot=SNAPSHOT, error=type(error).__name__)

    async def _load_snapshot(self) -> tuple[ChallengeInfo, ...] | None:
        async with self._database.transaction() as session:
            found = await queries.find_snapshot(session, SNAPSHOT, _Challenges)
        return found.challenges if found else None
