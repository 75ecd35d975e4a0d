"""Pages that ask for their content again when their challenge changed: ready for strangers, and tagged by content."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from async_lru import alru_cache
from fastapi import Depends, Query, Request
from starlette.responses import Response

from shared.contracts.leaderboard_api import ChallengeInfo
from web.http.dependencies import Visitor, answer_page, render_html
from web.http.ready_answers import ReadyAnswer, make_etag, make_ready
from web.live.changes import Changes
from web.live.rules import LiveView
from web.live.streams import LiveStreams

MAX_READY = 200  # pages for strangers, in memory
MAX_AGE_S = 5.0  # of what changes without a new revision, such as an announcement

#: What a page shows; asked for only where there is no ready one.
Load: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
#: `0` pauses a page. Something else is not worth an error.
Live = Annotated[str, Query(max_length=20)]


@dataclass(frozen=True)
class _Wanted:
    """By what pages for strangers differ."""

    template: str
    view: LiveView
    challenge: ChallengeInfo
    revision: int
    language: str
    theme: str
    has_keys: bool
    make: Callable[[], Awaitable[ReadyAnswer]] = field(compare=False)


class LivePages:
    """Answers with pages of one replica."""

    def __init__(self, changes: Changes, streams: LiveStreams) -> None:
        self.changes = changes
        self.streams = streams
        self._ready = alru_cache(maxsize=MAX_READY, ttl=MAX_AGE_S)(_make)

    async def show(  # noqa: PLR0917 - the request and what it is about
        self, request: Request, visitor: Visitor, challenge: ChallengeInfo, template: str, view: LiveView, load: Load
    ) -> Response:
        """The page; for strangers, who are all sent the same, it is made once."""
        revision = await self.changes.find_revision(challenge)  # before what is shown, which may be newer then
        if visitor.user is not None or "said" in request.query_params:
            return respond(request, visitor, template, view, await load(), revision)

        async def make() -> ReadyAnswer:
            html = render_html(request, visitor, template, {**await load(), "live": view})
            return make_ready(_fill_in(html, revision), etag=make_etag(html.encode()))

        settings = (visitor.language, visitor.theme, visitor.has_keys)
        ready = await self._ready(_Wanted(template, view, challenge, revision, *settings, make))
        return ready.respond(request)


async def _live_pages(request: Request) -> LivePages:
    pages: LivePages = request.app.state.live_pages
    return pages


LivePagesDep = Annotated[LivePages, Depends(_live_pages)]


def respond(  # noqa: PLR0917 - the request and what it is about
    request: Request,
    visitor: Visitor,
    template: str,
    view: LiveView,
    page: Mapping[str, Any],
    revision: int,
    status: int = 200,
) -> Response:
    """The page for one visitor; it is not sent again to who has it."""
    html = render_html(request, visitor, template, {**page, "live": view})
    return answer_page(request, _fill_in(html, revision).encode(), status, tagged=html.encode())


def _fill_in(html: str, revision: int) -> str:
    """The page with the revision that it has. Its tag is without that: most changes are not about this page."""
    # No text has that quotation mark unescaped. Not as `Markup`, which would escape it here, too.
    return str(html).replace('known="', f'known={revision}"', 1)


async def _make(wanted: _Wanted) -> ReadyAnswer:
    return await wanted.make()
