"""Windows of boards in memory, kept current by events, and their streams to open pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from shared.contracts.events import Event, StandingsChanged
from shared.contracts.leaderboard_api import BoardStandings
from shared.contracts.teams_api import TeamBoard
from shared.database.engine import Database, is_transient
from shared.errors import NotFound, Unavailable
from web.boards.rendering import BoardFragment, Window, count_rows
from web.boards.rules import PAGE_ROWS, WindowKey
from web.challenges.rules import count_pages
from web.clients.leaderboard import LeaderboardClient
from web.http import queries
from web.http.ready_answers import ReadyAnswer
from web.live.messages import GZIP_HEADER, Message, make_message

FETCH_INTERVAL_S = 1.0  # of one window, at least; each fetch may be pushed
IDLE_FETCH_INTERVAL_S = 10.0  # of a board that nobody looks at, for the snapshot
MAX_AGE_S = 30.0  # an event may be missed while the broker is away: then a view or an open stream fetches again
RETRY_INTERVAL_S = 3.0  # after a failure no request waits for another one
MAX_WINDOWS = 200  # that nobody has open, in memory

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class RenderedWindow:
    """A window, its fragment and its event in each language, and whole pages around it, as they are asked for."""

    window: Window
    fragments: Mapping[str, BoardFragment]
    messages: Mapping[str, Message]
    pages: dict[object, ReadyAnswer] = field(default_factory=dict)  # few: see `boards.routes.Variant`


@dataclass
class _Entry:
    """The state of one window in the cache."""

    rendered: RenderedWindow | None = None
    is_stale: bool = False
    is_failing: bool = False
    is_gone: bool = False  # deleted or hidden since it was last shown
    next_fetch_at: float = float("-inf")
    fresh_until: float = float("-inf")
    viewed_at: float = float("-inf")
    streams: int = 0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def is_due(self, now: float) -> bool:
        """Whether who asks for it now has to wait for another one."""
        return now >= self.next_fetch_at and (self.rendered is None or self.is_stale or now >= self.fresh_until)

    def is_watched(self, now: float) -> bool:
        """Whether a change is fetched at once though nobody asks: for open pages, and for who has just come."""
        return self.streams > 0 or now < self.viewed_at + MAX_AGE_S


class BoardCache:
    """Every window that was viewed in this replica, and the first one of each board that was named in an event.

    Callers ask for boards that exist, as the challenges say: what a stranger makes up does not get here.
    """

    def __init__(
        self,
        leaderboard: LeaderboardClient,
        database: Database,
        render: Callable[[Window, str, int], BoardFragment],
        languages: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leaderboard = leaderboard
        self._database = database
        self._render = render
        self._languages = languages
        self._clock = clock
        self._entries: dict[WindowKey, _Entry] = {}

    async def mark_stale(self, event: Event) -> None:
        """Mark the windows of a `standings.changed`, so that a burst of events costs one fetch a second of each."""
        assert isinstance(event, StandingsChanged)
        boards = set(event.boards)
        for board in boards:
            self._entries.setdefault(WindowKey(event.challenge, board), _Entry())
        for key, entry in self._entries.items():
            if key.challenge == event.challenge and key.board in boards:
                known = entry.rendered.window.revision if entry.rendered else -1
                entry.is_stale = entry.is_stale or event.revision > known

    async def refresh(self) -> bool:
        """Fetch the windows that are stale, and those with streams that are too old. A step of a periodic task."""
        now = self._clock()
        for key, entry in list(self._entries.items()):
            if entry.is_stale and not entry.is_watched(now) and key != WindowKey(key.challenge, key.board):
                del self._entries[key]  # who comes back to it asks anew
                continue
            due = entry.is_stale or (entry.streams > 0 and now >= entry.fresh_until)
            if due and now >= entry.next_fetch_at + (0 if entry.is_watched(now) else IDLE_FETCH_INTERVAL_S):
                async with entry.fetching:
                    await self._try_fetch(key, entry)
        return False

    async def get(self, key: WindowKey) -> tuple[RenderedWindow, bool]:
        """The window, and whether it is current; else it is the last one known. Raises NotFound, Unavailable."""
        entry = self._entries.get(key)
        if entry is None:
            self._make_room()
            entry = self._entries.setdefault(key, _Entry())
        now = entry.viewed_at = self._clock()
        if entry.rendered is None or (entry.is_due(now) and not entry.fetching.locked()):
            async with entry.fetching:  # many readers of a cold window cost one fetch
                if entry.is_due(self._clock()):
                    await self._try_fetch(key, entry)
                if entry.rendered is None and entry.is_failing:
                    await self._load_snapshot(key, entry)
        if entry.rendered is None:
            if not entry.streams:
                self._entries.pop(key, None)
            raise Unavailable if entry.is_failing else NotFound
        if key.page > count_pages(count_rows(entry.rendered.window), PAGE_ROWS):
            raise NotFound
        return entry.rendered, not entry.is_failing

    async def stream(self, key: WindowKey, language: str, known: str, *, deflated: bool) -> AsyncIterator[bytes]:
        """The window unless its event's id is `known`, and again whenever it changes, as bytes of events.

        It ends when not everybody may see the board any more who could: then pages ask anew.
        """
        entry = self._entries.setdefault(key, _Entry())
        entry.streams += 1
        visibility = entry.rendered.window.challenge.visibility if entry.rendered else None
        try:
            if deflated:
                yield GZIP_HEADER
            while True:
                changed = entry.changed
                if entry.is_gone:
                    return
                if entry.rendered is not None:
                    if visibility not in {None, entry.rendered.window.challenge.visibility}:
                        return
                    message = entry.rendered.messages[language]
                    if message.id != known:
                        known = message.id
                        yield message.deflated if deflated else message.plain
                await changed.wait()
        finally:
            entry.streams -= 1

    def _make_room(self) -> None:
        while len(self._entries) >= MAX_WINDOWS:
            idle = [key for key, entry in self._entries.items() if not entry.streams and not entry.fetching.locked()]
            if not idle:
                return
            del self._entries[min(idle, key=lambda key: self._entries[key].viewed_at)]

    async def _try_fetch(self, key: WindowKey, entry: _Entry) -> None:
        is_stale, entry.is_stale = entry.is_stale, False  # an event during the fetch makes it stale again
        try:
            window = await self._fetch(key)
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
            await self._store(key, entry, window)

    async def _fetch(self, key: WindowKey) -> Window:
        if key.kind == "teams":
            return await self._leaderboard.team_board(key.challenge, key.board, limit=PAGE_ROWS, offset=key.offset)
        return await self._leaderboard.standings(key.challenge, key.board, limit=PAGE_ROWS, offset=key.offset)

    async def _store(self, key: WindowKey, entry: _Entry, window: Window) -> None:
        before = entry.rendered.window if entry.rendered else None
        if window == before:  # an older revision is no error: the leaderboard service was restored
            return
        entry.rendered = await asyncio.to_thread(self._render_all, window, key.page)
        _wake(entry)
        if key.snapshot is None:
            return
        try:
            async with self._database.transaction() as session:
                if window.challenge.visibility == "hidden":
                    await queries.delete_snapshot(session, key.snapshot)
                else:
                    await queries.save_snapshot(session, key.snapshot, window.revision, window)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("snapshot not saved", snapshot=key.snapshot, error=type(error).__name__)

    async def _forget(self, key: WindowKey, entry: _Entry) -> None:
        """The board was deleted: nobody is shown it any more, and open pages ask anew."""
        if entry.rendered is None:
            return
        entry.rendered = None
        entry.is_gone = True
        _wake(entry)
        if key.snapshot is not None:
            async with self._database.transaction() as session:
                await queries.delete_snapshot(session, key.snapshot)

    async def _load_snapshot(self, key: WindowKey, entry: _Entry) -> None:
        if key.snapshot is None:
            return
        async with self._database.transaction() as session:
            model: type[Window] = TeamBoard if key.kind == "teams" else BoardStandings
            window = await queries.find_snapshot(session, key.snapshot, model)
        if window is not None:
            entry.rendered = await asyncio.to_thread(self._render_all, window, key.page)

    def _render_all(self, window: Window, page: int) -> RenderedWindow:
        fragments = {language: self._render(window, language, page) for language in self._languages}
        messages = {language: make_message(one.html) for language, one in fragments.items()}
        return RenderedWindow(window, fragments, messages)


def _wake(entry: _Entry) -> None:
    changed, entry.changed = entry.changed, asyncio.Event()
    changed.set()
