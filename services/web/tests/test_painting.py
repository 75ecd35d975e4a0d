"""When a browser shows a page that comes in pieces."""

import asyncio

import pytest
from playwright.async_api import Browser
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from web_fakes import FakeAuth, FakeLeaderboard
from web_harness import build
from web_site import find_free_port, open_page, serve

from shared.database.engine import Database
from testkit.waiting import wait_until

WATCH_PAINTING = "requestAnimationFrame(() => { window.painted = true; })"
#: Until as many answers have come as give the browser the time to paint, had it not to wait.
FETCH = """async () => {
    const style = document.querySelector("link[rel=stylesheet]").href;
    for (let answers = 0; answers < 40; answers += 1) await (await fetch(style, { cache: "reload" })).text();
}"""


class WithoutEnds:
    """A site that keeps the last piece of every page back, until it is let go."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_pieces(message: Message) -> None:
            begin, mark, end = message.get("body", b"").rpartition(b"</footer>")
            if mark:
                await send({**message, "body": begin, "more_body": True})
                await self.let_go.wait()
                message = {**message, "body": mark + end}
            await send(message)

        # Uncompressed: a browser can show what has come of a page.
        headers = [header for header in scope.get("headers", []) if header[0] != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, send_in_pieces)


@pytest.mark.parametrize("path", ["/", "/privacy", "/c/autumn/running/embed", "/c/autumn/running/screen"])
async def test_a_page_is_painted_when_all_of_it_is_there(
    browser: Browser, database: Database, leaderboard: FakeLeaderboard, auth: FakeAuth, path: str
) -> None:
    site = WithoutEnds(build(database, leaderboard, auth, secure=False))
    async with serve(site, find_free_port()) as address, open_page(browser, address) as page:
        await page.add_init_script(WATCH_PAINTING)
        await page.goto(path, wait_until="commit")
        await wait_until(lambda: page.evaluate("!!document.querySelector('footer')"), "all but the end is there")
        await page.evaluate(FETCH)
        painted_early = await page.evaluate("window.painted")
        site.let_go.set()
        assert not painted_early, "it was painted without its end"
        await page.wait_for_function("window.painted && document.readyState === 'complete'")
