"""BoardCache in memory: fresh, in order, and cheap for the leaderboard service."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from markupsafe import Markup
from sqlalchemy import text
from web_fakes import FakeLeaderboard, transport
from web_harness import news

from shared.contracts.leaderboard_api import BoardStandings
from shared.database.engine import Database
from shared.errors import NotFound, Unavailable
from web.boards.board_cache import FETCH_INTERVAL_S, MAX_AGE_S, RETRY_INTERVAL_S, BoardCache
from web.boards.rendering import BoardFragment, Window
from web.boards.rules import WindowKey
from web.clients.calls import Api, make_client
from web.clients.leaderboard import LeaderboardClient
from web.http import queries

SNAPSHOT = "board/autumn/running/people"
BOARD = WindowKey("autumn", "running")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def boards(database: Database, leaderboard: FakeLeaderboard, clock: Clock) -> AsyncIterator[BoardCache]:
    async with make_client("http://leaderboard", transport(leaderboard.app())) as http:
        yield BoardCache(LeaderboardClient(Api(http, "key")), database, _plain, ("en", "pl"), clock)


def _plain(standings: Window, language: str, page: int) -> BoardFragment:
    assert isinstance(standings, BoardStandings)
    text = f"{language} revision {standings.revision}\nfirst {standings.rows[0].display_name}"
    return BoardFragment(Markup(text))


async def revision(boards: BoardCache) -> int:
    rendered, _current = await boards.get(BOARD)
    return rendered.window.revision


async def test_many_readers_of_a_cold_board_cost_one_question(
    boards: BoardCache, leaderboard: FakeLeaderboard
) -> None:
    await asyncio.gather(*(boards.get(BOARD) for _ in range(50)))
    assert leaderboard.asked == 1


async def test_a_burst_of_news_costs_one_question_a_second(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    for number in range(8, 40):
        leaderboard.revision = number
        await boards.mark_stale(news(number))
        await boards.refresh()
    assert leaderboard.asked == 1
    clock.now += FETCH_INTERVAL_S
    await boards.refresh()
    await boards.refresh()
    assert leaderboard.asked == 2
    assert await revision(boards) == 39


async def test_news_that_are_known_cost_nothing(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    clock.now += FETCH_INTERVAL_S
    await boards.mark_stale(news(leaderboard.revision))
    await boards.refresh()
    assert leaderboard.asked == 1


async def test_a_board_nobody_asked_for_is_fetched_and_kept_when_it_changes(
    boards: BoardCache, leaderboard: FakeLeaderboard, database: Database
) -> None:
    await boards.mark_stale(news(7, "cycling"))
    await boards.refresh()
    async with database.transaction() as session:
        kept = await queries.find_snapshot(session, "board/autumn/cycling/people", BoardStandings)
    assert kept is not None
    assert kept.revision == 7


async def test_a_board_that_nobody_looks_at_costs_little_and_is_current_for_who_comes(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    for number in range(8, 48):
        leaderboard.revision = number
        await boards.mark_stale(news(number))
        await boards.refresh()
        clock.now += FETCH_INTERVAL_S
    assert leaderboard.asked <= 4
    assert await revision(boards) == 47


async def test_a_leaderboard_that_was_restored_is_believed_though_its_revision_is_older(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    stream = boards.stream(BOARD, "en", "", deflated=False)
    await boards.get(BOARD)
    assert b"revision 7" in _bytes(await anext(stream))
    leaderboard.revision = 6
    clock.now += MAX_AGE_S
    rendered, current = await boards.get(BOARD)
    assert (rendered.window.revision, current) == (6, True)
    assert b"revision 6" in _bytes(await anext(stream))
    await stream.aclose()


async def test_of_replicas_at_once_the_older_answer_is_not_kept_but_later_it_is(
    boards: BoardCache, database: Database
) -> None:
    await boards.get(BOARD)
    async with database.transaction() as session:
        newest = await queries.find_snapshot(session, SNAPSHOT, BoardStandings)
        assert newest is not None
        older = newest.model_copy(update={"revision": 3})
        await queries.save_snapshot(session, SNAPSHOT, 3, older)
        assert (await session.execute(text("select revision from snapshots"))).scalar_one() == 7
        await session.execute(text("update snapshots set saved_at = now() - interval '61 s'"))
        await queries.save_snapshot(session, SNAPSHOT, 3, older)
        assert (await session.execute(text("select revision from snapshots"))).scalar_one() == 3


async def test_a_missed_event_is_made_good_by_a_later_view(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    leaderboard.revision = 8
    assert await revision(boards) == 7
    clock.now += MAX_AGE_S
    assert await revision(boards) == 8


async def test_a_missed_event_is_made_good_on_an_open_page(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    stream = boards.stream(BOARD, "en", "", deflated=False)
    assert b"revision 7" in _bytes(await anext(stream))
    leaderboard.revision = 8
    clock.now += MAX_AGE_S
    await boards.refresh()
    assert b"revision 8" in _bytes(await anext(stream))


async def test_a_stream_begins_with_the_whole_board_and_names_its_revision(boards: BoardCache) -> None:
    await boards.get(BOARD)
    first = _bytes(await anext(boards.stream(BOARD, "pl", "", deflated=False)))
    assert re.fullmatch(rb"id: [0-9a-f]{16}\r\ndata: pl revision 7\r\ndata: first Ania K\.\r\n\r\n", first)


async def test_all_streams_share_the_same_bytes(boards: BoardCache) -> None:
    await boards.get(BOARD)
    first, second = [await anext(boards.stream(BOARD, "en", "", deflated=False)) for _ in range(2)]
    assert first is second


async def test_while_the_leaderboard_is_away_it_is_not_asked_by_every_reader(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    leaderboard.away = True
    clock.now += MAX_AGE_S
    for _ in range(20):
        rendered, current = await boards.get(BOARD)
        assert (rendered.window.revision, current) == (7, False)
    assert leaderboard.asked == 2
    leaderboard.away, leaderboard.revision = False, 9
    clock.now += RETRY_INTERVAL_S
    rendered, current = await boards.get(BOARD)
    assert (rendered.window.revision, current) == (9, True)


async def test_news_that_came_while_the_leaderboard_was_away_are_not_lost(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock
) -> None:
    await boards.get(BOARD)
    leaderboard.away, leaderboard.revision = True, 8
    clock.now += FETCH_INTERVAL_S
    await boards.mark_stale(news(8))
    await boards.refresh()
    leaderboard.away = False
    clock.now += RETRY_INTERVAL_S
    await boards.refresh()
    assert await revision(boards) == 8


async def test_a_board_that_was_deleted_or_hidden_is_forgotten_everywhere(
    boards: BoardCache, leaderboard: FakeLeaderboard, clock: Clock, database: Database
) -> None:
    await boards.get(BOARD)
    stream = boards.stream(BOARD, "en", "", deflated=False)
    await anext(stream)
    leaderboard.exists = False
    clock.now += FETCH_INTERVAL_S
    await boards.mark_stale(news(8))
    await boards.refresh()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(NotFound):
        await boards.get(BOARD)
    leaderboard.away = True  # nor is there a snapshot for when leaderboard is away
    clock.now += RETRY_INTERVAL_S
    with pytest.raises(Unavailable):
        await boards.get(BOARD)
    leaderboard.away, leaderboard.exists = False, True
    clock.now += RETRY_INTERVAL_S
    assert (await boards.get(BOARD))[1]


async def test_addresses_made_up_by_strangers_are_not_remembered(boards: BoardCache) -> None:
    for number in range(5):
        with pytest.raises(NotFound):
            await boards.get(WindowKey("autumn", f"nothing-{number}"))
    assert boards._entries == {}


async def test_a_cold_replica_without_anything_says_that_a_part_is_away(
    boards: BoardCache, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.away = True
    with pytest.raises(Unavailable):
        await boards.get(BOARD)


def _bytes(message: object) -> bytes:
    assert isinstance(message, bytes)
    return message
