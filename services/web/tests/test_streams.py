"""Open live pages: what they are sent, and how many there may be."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.requests import Request
from web_fakes import FakeLeaderboard
from web_harness import news
from web_server import Server

from shared.errors import TooManyRequests, Unavailable
from web.boards.board_cache import BoardCache
from web.boards.rules import WindowKey
from web.http.dependencies import User, Visitor
from web.live.streams import MAX_OF_USER, LiveStreams, StreamLimits

STREAM = "/live/c/autumn/running"
KEY = WindowKey("autumn", "running")
STRANGER = Visitor("en", "system", None)


def request_from(address: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": STREAM, "headers": raw, "client": (address, 1)})


@asynccontextmanager
async def opened(response: Any) -> AsyncIterator[AsyncIterator[bytes]]:
    """The response's messages, as if somebody read them."""
    iterator = response.body_iterator
    yield iterator
    await iterator.aclose()


@pytest.fixture
def cache(client: httpx.AsyncClient) -> BoardCache:
    boards: BoardCache = client.app.state.boards  # type: ignore[attr-defined]
    return boards


async def test_a_page_that_has_the_board_is_sent_nothing_until_it_changes(
    cache: BoardCache, leaderboard: FakeLeaderboard
) -> None:
    rendered, _ = await cache.get(KEY)
    stream = cache.stream(KEY, "en", rendered.messages["en"].id, deflated=False)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    assert not waiting.done()
    leaderboard.revision += 1
    leaderboard.rows.pop()
    cache._entries[KEY].next_fetch_at = 0
    await cache.mark_stale(news(leaderboard.revision))
    await cache.refresh()
    assert b"22 participants" in await waiting
    await stream.aclose()


async def test_a_compressed_stream_says_what_the_plain_one_says(cache: BoardCache) -> None:
    await cache.get(KEY)
    plain = await anext(cache.stream(KEY, "pl", "", deflated=False))
    stream = cache.stream(KEY, "pl", "", deflated=True)
    packed = await anext(stream) + await anext(stream)
    assert zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(packed) == plain
    assert len(packed) * 3 < len(plain)
    await stream.aclose()


async def test_a_challenge_that_is_hidden_ends_the_streams_of_its_boards(
    cache: BoardCache, leaderboard: FakeLeaderboard
) -> None:
    await cache.get(KEY)
    stream = cache.stream(KEY, "en", "", deflated=False)
    await anext(stream)
    leaderboard.visibility, leaderboard.revision = "hidden", leaderboard.revision + 1
    cache._entries[KEY].next_fetch_at = 0
    await cache.mark_stale(news(leaderboard.revision))
    await cache.refresh()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_one_address_and_all_together_have_a_bound_of_open_pages(cache: BoardCache) -> None:
    await cache.get(KEY)
    streams = LiveStreams(StreamLimits(total=3, of_address=2))

    def open_from(address: str) -> Any:
        return streams.open(request_from(address), STRANGER, cache.stream(KEY, "en", "", deflated=False))

    async with opened(open_from("10.0.0.1")) as first, opened(open_from("10.0.0.1")) as second:
        await anext(first)
        await anext(second)
        with pytest.raises(TooManyRequests):
            open_from("10.0.0.1")
        async with opened(open_from("10.0.0.2")) as third:
            await anext(third)
            with pytest.raises(Unavailable):
                open_from("10.0.0.3")
    async with opened(open_from("10.0.0.1")) as again:
        assert b"data:" in await anext(again)


async def test_who_is_signed_in_has_a_bound_of_their_own(cache: BoardCache) -> None:
    await cache.get(KEY)
    streams = LiveStreams(StreamLimits(total=100, of_address=1))
    visitor = Visitor("en", "system", User(UUID(int=1), "Ela N."))
    iterators = []
    for _ in range(MAX_OF_USER):
        response: Any = streams.open(request_from("10.0.0.1"), visitor, cache.stream(KEY, "en", "", deflated=False))
        iterators.append(response.body_iterator)
        await anext(iterators[-1])
    with pytest.raises(TooManyRequests):
        streams.open(request_from("10.0.0.1"), visitor, cache.stream(KEY, "en", "", deflated=False))
    for iterator in iterators:
        await iterator.aclose()


async def test_a_browser_that_comes_back_says_what_it_has(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as client:
        async with client.stream("GET", STREAM, params={"lang": "en"}) as first:
            assert first.headers["content-encoding"] == "gzip"
            lines = first.aiter_lines()
            name = (await anext(lines)).removeprefix("id: ")
            assert "participants" in "".join([await anext(lines) for _ in range(8)])
        async with client.stream("GET", STREAM, params={"lang": "en"}, headers={"Last-Event-ID": name}) as second:
            assert second.status_code == 200
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await anext(second.aiter_lines())
