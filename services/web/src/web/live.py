"""Boards in memory, kept current by events, and the streams that carry them to open pages."""

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
from web import queries
from web.clients import Leaderboard

PUSH_EVERY_S = 1.0  # one board is fetched and pushed at most this often
TRUSTED_FOR_S = 30.0  # an event may be missed while the broker is away: then a view or an open stream asks again
CHALLENGE_FOR_S = 15.0
AWAY_FOR_S = 3.0  # after a failure nobody waits for another one for this long

log = structlog.stdlib.get_logger(__name__)

Key: TypeAlias = tuple[str, str]  # challenge, board


@dataclass(frozen=True)
class Shown:
    """A board as rendered for everyone, once per language."""

    standings: BoardStandings
    html: Mapping[str, str]
    messages: Mapping[str, bytes]


@dataclass
class _Slot:
    """What is known of one board, and who waits for more."""

    shown: Shown | None = None
    dirty: bool = False
    failing: bool = False
    next_at: float = float("-inf")  # no question before
    trusted_until: float = float("-inf")
    watchers: int = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Boards:
    """Every board that this replica was asked for or heard of."""

    def __init__(
        self,
        leaderboard: Leaderboard,
        database: Database,
        render: Callable[[BoardStandings, str], str],
        languages: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leaderboard = leaderboard
        self._sessions = database
        self._render = render
        self._languages = languages
        self._clock = clock
        self._slots: dict[Key, _Slot] = {}
        self._current: ChallengeInfo | None = None
        self._current_next_at = float("-inf")

    async def on_standings_changed(self, event: Event) -> None:
        """Note which boards to fetch, so that a burst of events costs one fetch a second."""
        assert isinstance(event, StandingsChanged)
        for board in event.boards:
            slot = self._slots.setdefault((event.challenge, board), _Slot())
            if slot.shown is None or event.revision > slot.shown.standings.revision:
                slot.dirty = True

    async def refresh(self) -> bool:
        """Fetch what changed, and what is watched but was not heard of for long: the step of a loop."""
        for key, slot in list(self._slots.items()):
            now = self._clock()
            due = slot.dirty or (slot.watchers > 0 and now >= slot.trusted_until)
            if due and now >= slot.next_at:
                async with slot.asking:
                    await self._try_to_ask(key, slot)
        return False

    async def show(self, challenge: str, board: str) -> tuple[Shown, bool]:
        """The board, and whether it is current; else it is the last one known. NotFound when there is none."""
        key = (challenge, board)
        slot = self._slots.setdefault(key, _Slot())
        async with slot.asking:  # many readers of a cold board ask once
            now = self._clock()
            if slot.shown is None or (now >= slot.trusted_until and now >= slot.next_at):
                await self._try_to_ask(key, slot)
            if slot.shown is None and slot.failing:
                await self._remember(key, slot)
        if slot.shown is None:
            if not slot.watchers:
                self._slots.pop(key, None)
            raise Unavailable if slot.failing else NotFound
        return slot.shown, not slot.failing

    async def current_challenge(self) -> ChallengeInfo:
        """The challenge of these days, or the last one known while nobody can be asked."""
        if self._current is None or self._clock() >= self._current_next_at:
            try:
                self._current = await self._leaderboard.current_challenge()
                self._current_next_at = self._clock() + CHALLENGE_FOR_S
            except NotFound:
                self._current = None
                raise
            except Unavailable:
                self._current = self._current or await self._last_challenge()
                self._current_next_at = self._clock() + AWAY_FOR_S
        return self._current

    async def stream(self, challenge: str, board: str, language: str) -> AsyncIterator[bytes | ServerSentEvent]:
        """The board now, and again whenever it changes."""
        slot = self._slots.setdefault((challenge, board), _Slot())
        slot.watchers += 1
        sent: Shown | None = None
        try:
            while True:
                changed = slot.changed
                if slot.shown is not None and slot.shown is not sent:
                    sent = slot.shown
                    yield sent.messages[language]
                await changed.wait()
        finally:
            slot.watchers -= 1

    async def _try_to_ask(self, key: Key, slot: _Slot) -> None:
        dirty, slot.dirty = slot.dirty, False  # an event during the question makes it dirty again
        try:
            standings = await self._leaderboard.standings(*key)
        except NotFound:
            slot.failing = False
            slot.next_at = self._clock() + AWAY_FOR_S
        except Unavailable:
            slot.failing = True
            slot.dirty = slot.dirty or dirty
            slot.next_at = self._clock() + AWAY_FOR_S
        else:
            slot.failing = False
            slot.next_at = self._clock() + PUSH_EVERY_S
            slot.trusted_until = self._clock() + TRUSTED_FOR_S
            await self._accept(key, slot, standings)

    async def _accept(self, key: Key, slot: _Slot, standings: BoardStandings) -> None:
        before = slot.shown.standings if slot.shown else None
        if standings == before:  # an older revision is no error: the leaderboard service was restored
            return
        slot.shown = await asyncio.to_thread(self._rendered, standings)
        changed, slot.changed = slot.changed, asyncio.Event()
        changed.set()
        try:
            async with self._sessions.transaction() as session:
                await queries.save_snapshot(session, standings)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("snapshot not saved", board="/".join(key), error=type(error).__name__)

    async def _remember(self, key: Key, slot: _Slot) -> None:
        async with self._sessions.transaction() as session:
            standings = await queries.find_snapshot(session, *key)
        if standings is not None:
            slot.shown = await asyncio.to_thread(self._rendered, standings)

    async def _last_challenge(self) -> ChallengeInfo:
        async with self._sessions.transaction() as session:
            standings = await queries.newest_snapshot(session)
        if standings is None:
            raise Unavailable
        return standings.challenge

    def _rendered(self, standings: BoardStandings) -> Shown:
        html = {language: self._render(standings, language) for language in self._languages}
        return Shown(standings, html, {key: _message(standings.revision, text) for key, text in html.items()})


def _message(revision: int, html: str) -> bytes:
    # Unnamed, because htmx swaps only those; encoded once for all readers.
    return ServerSentEvent(html, id=str(revision)).encode()
