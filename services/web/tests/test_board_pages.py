"""Boards of more than a page, searched, filtered, framed, and kept ready."""

import gzip
import re
import zlib

import httpx
import pytest
from web_fakes import FakeAuth, FakeLeaderboard, entry, user_id
from web_sign_in import sign_in

from web.boards.rules import PAGE_ROWS
from web.live.messages import GZIP_HEADER, deflate

BOARD = "/c/autumn/running"


@pytest.fixture
def crowd(leaderboard: FakeLeaderboard) -> FakeLeaderboard:
    """A board of 250 people."""
    leaderboard.rows = [entry(number, 1000 - number, display_name=f"Person {number}") for number in range(250)]
    return leaderboard


def names(page: httpx.Response) -> list[str]:
    return re.findall(r'<th scope="row"><a[^>]*>([^<]+)</a>', page.text)


@pytest.mark.parametrize(("page", "first", "rows"), [(1, 0, 100), (2, 100, 100), (3, 200, 50)])
async def test_a_large_board_has_pages_of_a_hundred(
    client: httpx.AsyncClient, crowd: FakeLeaderboard, page: int, first: int, rows: int
) -> None:
    shown = await client.get(BOARD, params={"page": page})
    assert names(shown) == [f"Person {number}" for number in range(first, first + rows)]
    assert f"Page {page} of 3" in shown.text
    assert "250 participants" in shown.text


@pytest.mark.parametrize("page", ["0", "4", "-1", "x", "99999999999999999999"])
async def test_pages_that_a_board_does_not_have_are_not_there(
    client: httpx.AsyncClient, crowd: FakeLeaderboard, page: str
) -> None:
    assert (await client.get(BOARD, params={"page": page})).status_code == 404


async def test_who_is_far_down_is_led_to_their_row_from_every_page(
    client: httpx.AsyncClient, crowd: FakeLeaderboard, auth: FakeAuth
) -> None:
    auth.sign_in_as(220, "Person 220")
    await sign_in(client)
    first = await client.get(BOARD)
    assert f'<a href="{BOARD}?page=3#p-{user_id(220)}"><span>My place:</span> <b>221</b></a>' in first.text
    third = await client.get(BOARD, params={"page": 3})
    assert f'<a href="#p-{user_id(220)}">' in third.text
    assert f'<tr id="p-{user_id(220)}" class="me"' in third.text
    mine = await client.get(f"{BOARD}/mine")
    assert "<b>221</b>" in mine.text


async def test_the_place_of_somebody_is_asked_for_once_a_revision(
    client: httpx.AsyncClient, crowd: FakeLeaderboard, auth: FakeAuth
) -> None:
    auth.sign_in_as(220, "Person 220")
    await sign_in(client)
    await client.get(BOARD)
    asked = crowd.asked
    for _ in range(5):
        await client.get(BOARD)
    assert crowd.asked == asked


async def test_strangers_and_people_without_a_row_have_no_place(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    assert (await client.get(f"{BOARD}/mine")).status_code == 204
    auth.sign_in_as(99, "New N.")
    await sign_in(client)
    assert (await client.get(f"{BOARD}/mine")).status_code == 204


async def test_names_that_do_not_exist_cost_leaderboard_nothing(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    await client.get(BOARD)
    asked = leaderboard.asked
    for path in ("/c/spring/running", "/c/autumn/rowing", "/live/c/autumn/rowing", "/c/autumn/rowing/embed"):
        assert (await client.get(path)).status_code == 404
    assert leaderboard.asked == asked


async def test_a_page_that_the_browser_has_is_not_sent_again(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    first = await client.get(BOARD)
    again = await client.get(BOARD, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    polish = await client.get(BOARD, headers={"If-None-Match": first.headers["etag"], "Accept-Language": "pl"})
    assert polish.status_code == 200
    assert "Accept-Language" in first.headers["vary"]


async def test_a_page_is_kept_ready_in_both_encodings(client: httpx.AsyncClient) -> None:
    plain = await client.get(BOARD, headers={"Accept-Encoding": "identity"})
    packed = await client.get(BOARD, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


async def test_head_is_answered_as_get_without_its_body(client: httpx.AsyncClient) -> None:
    for path in ("/", BOARD, "/join", "/privacy"):
        assert (await client.head(path)).status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"first": "yesterday"}, "Please write the days as year-month-day."),
        ({"last": "2026-02-30"}, "Please write the days as year-month-day."),
        ({"first": "2031-01-01"}, "The challenge has no day from the first to the last one that you chose."),
    ],
)
async def test_days_that_make_no_sense_are_explained_beside_the_form(
    client: httpx.AsyncClient, query: dict[str, str], sentence: str
) -> None:
    page = await client.get(BOARD, params=query)
    assert page.status_code == 422
    assert sentence in page.text
    assert f'value="{next(iter(query.values()))}"' in page.text


async def test_a_framed_board_may_be_framed_and_other_pages_may_not(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    framed = await client.get(f"{BOARD}/embed", params={"lang": "pl", "theme": "dark"})
    assert "frame-ancestors *" in framed.headers["content-security-policy"]
    assert '<html lang="pl" class="embed" data-theme="dark">' in framed.text
    assert "frame-ancestors 'none'" in (await client.get(BOARD)).headers["content-security-policy"]
    assert "hx-sse:connect" in framed.text


@pytest.mark.parametrize("path", ["", "/embed", "/screen", "?search=a", "?view=people&page=1"])
async def test_a_percent_sign_in_the_name_of_a_board_is_a_percent_sign(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard, path: str
) -> None:
    leaderboard.boards = (leaderboard.boards[0].model_copy(update={"name": "100 % Ride %(x)s"}),)
    page = await client.get(f"{BOARD}{path}")
    assert page.status_code == 200
    assert "100 % Ride %(x)s" in page.text


async def test_a_framed_board_never_shows_who_looks_at_it(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    for layout in ("embed", "screen"):
        page = await client.get(f"{BOARD}/{layout}")
        assert 'class="me"' not in page.text
        assert "Sign out" not in page.text


async def test_blocks_that_were_compressed_alone_are_one_stream_in_any_order() -> None:
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    blocks = [deflate(b"one " * 50), deflate(b"two "), deflate(b"one " * 50)]
    read = reader.decompress(GZIP_HEADER + b"".join(blocks))
    assert read == b"one " * 50 + b"two " + b"one " * 50


async def test_the_ready_page_is_what_its_encoding_says(client: httpx.AsyncClient) -> None:
    request = client.build_request("GET", BOARD, headers={"Accept-Encoding": "gzip"})
    response = await client.send(request, stream=True)
    raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert b"Autumn Kilometres" in gzip.decompress(raw)
    assert PAGE_ROWS == 100
