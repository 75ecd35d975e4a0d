"""The visitor's own row on a board that is rendered once for all visitors."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from markupsafe import Markup
from web_fakes import FakeAuth, user_id
from web_sign_in import sign_in

from web.http.rendering import Renderer

BOARD = "/c/autumn/running"


def rows(page: httpx.Response) -> list[str]:
    return re.findall(r"<tr id=.*</tr>", page.text)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were rendered, in order."""
    templates: list[str] = []
    render = Renderer.render

    def record(renderer: Renderer, language: str, template: str, context: Mapping[str, Any]) -> Markup:
        templates.append(template)
        return render(renderer, language, template, context)

    monkeypatch.setattr(Renderer, "render", record)
    return templates


async def test_the_own_row_alone_is_marked_and_the_others_are_unchanged(client: httpx.AsyncClient) -> None:
    shared = rows(await client.get(BOARD))
    await sign_in(client)
    own = rows(await client.get(BOARD))
    before = f'<tr id="p-{user_id(4)}">'
    assert own == [row.replace(before, f'{before[:-1]} class="me" aria-current="true">') for row in shared]
    assert [row for row in own if 'class="me"' in row] == [own[4]]


async def test_the_own_row_is_marked_in_the_visitors_language(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    page = await client.get(BOARD, headers={"Accept-Language": "pl"})
    [own] = [row for row in rows(page) if 'aria-current="true"' in row]
    assert '<td class="ranked">225,8</td>' in own


async def test_the_own_row_of_one_visitor_is_not_marked_for_the_next(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    for path in ("/", BOARD):
        assert 'class="me"' in (await client.get(path)).text
    client.cookies.clear()
    for path in ("/", BOARD):
        assert 'class="me"' not in (await client.get(path)).text


async def test_a_user_without_a_row_sees_the_shared_board(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    shared = rows(await client.get(BOARD))
    auth.user = user_id(99)
    await sign_in(client)
    page = await client.get(BOARD)
    assert rows(page) == shared
    assert "My place" not in page.text


async def test_a_page_with_an_own_row_renders_that_row_only(client: httpx.AsyncClient, rendered: list[str]) -> None:
    await sign_in(client)
    await client.get(BOARD)
    rendered.clear()
    await client.get(BOARD)
    assert rendered == ["boards/row.html", "boards/standings.html", "boards/board.html"]
    client.cookies.clear()
    rendered.clear()
    await client.get(BOARD)
    assert rendered == ["boards/board.html"]
