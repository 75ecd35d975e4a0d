"""Boards in memory, kept current by events, and their streams to open pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog
from sse_starlette import ServerSentEvent

from shared.contracts.events import Event, StandingsChanged
from shared.contracts.leaderboard_api import BoardStandings, ChallengeInfo
from shared.database.engine import Database, is_transient
from shared.errors import NotFound, Unavailable
from web.boards import queries
from web.boards.rendering import BoardFragment
from web.clients.leaderboard import LeaderboardClient

FETCH_INTERVAL_S = 1.0  # of one board, at least; each fetch may be pushed
MAX_AGE_S = 30.0  # an event may be missed while the broker is away: then a view or an open stream fetches again
CHALLENGE_MAX_AGE_S = 15.0
RETRY_INTERVAL_S = 3.0  # after a failure no request waits for another one

log = structlog.stdlib.get_logger(__name__)

Key: TypeAlias = tuple[str, str]  # challenge, board


@dataclass(frozen=True)
class RenderedBoard:
    """A board, its fragment in each language, and that fragment as an encoded server-sent event."""

    standings: BoardStandings
    fragments: Mapping[str, BoardFragment]
    messages: Mapping[str, bytes]


@dataclass
class _Entry:
    """The state of one board in the cache."""

    rendered: RenderedBoard | None = None
    is_stale: bool = False
    is_failing: bool = False
    is_gone: bool = False  # deleted or hidden since it was last shown
    next_fetch_at: float = float("-inf")
    fresh_until: float = float("-inf")
    streams: int = 0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class BoardCache:
    """Every board that was viewed in this replica, or named in an event."""

    def __init__(
        self,
        leaderboard: LeaderboardClient,
        database: Database,
        render: Callable[[BoardStandings, str], BoardFragment],
        languages: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leaderboard = leaderboard
        self._database = database
        self._render = render
        self._languages = languages
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._current: ChallengeInfo | None = None
        self._current_fetch_at = float("-inf")

    async def mark_stale(self, event: Event) -> None:
        """Mark the boards of a `standings.changed`, so that a burst of events costs one fetch a second."""
        assert isinstance(event, StandingsChanged)
        for board in event.boards:
            entry = self._entries.setdefault((event.challenge, board), _Entry())
            if entry.rendered is None or event.revision > entry.rendered.standings.revision:
                entry.is_stale = True

    async def refresh(self) -> bool:
        """Fetch the boards that are stale, and those with streams that are too old. A step of a periodic task."""
        for key, entry in list(self._entries.items()):
            now = self._clock()
            due = entry.is_stale or (entry.streams > 0 and now >= entry.fresh_until)
            if due and now >= entry.next_fetch_at:
                async with entry.fetching:
                    await self._try_fetch(key, entry)
        return False

    async def get(self, challenge: str, board: str) -> tuple[RenderedBoard, bool]:
        """The board, and whether it is current; else it is the last one known. Raises NotFound, Unavailable."""
        key = (challenge, board)
        entry = self._entries.setdefault(key, _Entry())
        async with entry.fetching:  # many readers of a cold board cost one fetch
            now = self._clock()
            if entry.rendered is None or (now >= entry.fresh_until and now >= entry.next_fetch_at):
                await self._try_fetch(key, entry)
            if entry.rendered is None and entry.is_failing:
                await self._load_snapshot(key, entry)
        if entry.rendered is None:
            if not entry.streams:
                self._entries.pop(key, None)
            raise Unavailable if entry.is_failing else NotFound
        return entry.rendered, not entry.is_failing

    async def current_challenge(self) -> ChallengeInfo:
        """The current challenge, or the last one known while leaderboard is away. Raises NotFound, Unavailable."""
        if self._current is None or self._clock() >= self._current_fetch_at:
            try:
                self._current = await self._leaderboard.current_challenge()
                self._current_fetch_at = self._clock() + CHALLENGE_MAX_AGE_S
            except NotFound:
                self._current = None
                raise
            except Unavailable:
                self._current = self._current or await self._find_last_challenge()
                self._current_fetch_at = self._clock() + RETRY_INTERVAL_S
        return self._current

    async def stream(self, challenge: str, board: str, language: str) -> AsyncIterator[bytes | ServerSentEvent]:
        """The board now, and again whenever it changes, as server-sent events."""
        entry = self._entries.setdefault((challenge, board), _Entry())
        entry.streams += 1
        sent: RenderedBoard | None = None
        try:
            while True:
                changed = entry.changed
                if entry.rendered is not None and entry.rendered is not sent:
                    sent = entry.rendered
                    yield sent.messages[language]
                if entry.is_gone:
                    return
                await changed.wait()
        finally:
            entry.streams -= 1

    async def _try_fetch(self, key: Key, entry: _Entry) -> None:
        is_stale, entry.is_stale = entry.is_stale, False  # an event during the fetch makes it stale again
        try:
            standings = await self._leaderboard.standings(*key)
        except NotFound:
            entry.is_failing = False
            entry.next_fetch_at = self._clock() + RETRY_INTERVAL_S
            await self._forget(key, entry)
        except Unavailable:
            entry.is_failing = True
            entry.is_stale = entry.is_stale or is_stale
            entry.next_fetch_at = self._clock() + RETRY_INTERVAL_S
        else:
            entry.is_failing = entry.is_gone = False
            entry.next_fetch_at = self._clock() + FETCH_INTERVAL_S
            entry.fresh_until = self._clock() + MAX_AGE_S
            await self._store(key, entry, standings)

    async def _store(self, key: Key, entry: _Entry, standings: BoardStandings) -> None:
        before = entry.rendered.standings if entry.rendered else None
        if standings == before:  # an older revision is no error: the leaderboard service was restored
            return
        entry.rendered = await asyncio.to_thread(self._render_all, standings)
        changed, entry.changed = entry.changed, asyncio.Event()
        changed.set()
        try:
            async with self._database.transaction() as session:
                await queries.save_snapshot(session, standings)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("snapshot not saved", board="/".join(key), error=type(error).__name__)

    async def _forget(self, key: Key, entry: _Entry) -> None:
        """The board was deleted or hidden: nobody is shown it any more, and open pages ask anew."""
        if entry.rendered is None:
            return
        entry.rendered = None
        entry.is_gone = True
        changed, entry.changed = entry.changed, asyncio.Event()
        changed.set()
        async with self._database.transaction() as session:
            await queries.delete_snapshot(session, *key)

    async def _load_snapshot(self, key: Key, entry: _Entry) -> None:
        async with self._database.transaction() as session:
            standings = await queries.find_snapshot(session, *key)
        if standings is not None:
            entry.rendered = await asyncio.to_thread(self._render_all, standings)

    async def _find_last_challenge(self) -> ChallengeInfo:
        async with self._database.transaction() as session:
            standings = await queries.find_newest_snapshot(session)
        if standings is None:
            raise Unavailable
        return standings.challenge

    def _render_all(self, standings: BoardStandings) -> RenderedBoard:
        fragments = {language: self._render(standings, language) for language in self._languages}
        messages = {language: _message(standings.revision, one.html) for language, one in fragments.items()}
        return RenderedBoard(standings, fragments, messages)


def _message(revision: int, html: str) -> bytes:
    # Unnamed, because htmx swaps only those; encoded once for all readers.
    return ServerSentEvent(html, id=str(revision)).encode()
