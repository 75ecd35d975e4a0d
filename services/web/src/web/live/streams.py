"""Open live pages: their number is bounded, for each visitor and altogether."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.errors import TooManyRequests, Unavailable
from web.http.dependencies import Visitor
from web.http.rate_limits import find_address
from web.live.messages import DEFLATED_PING, PING

SEND_TIMEOUT_S = 30
END_TIMEOUT_S = 1  # for whoever reads slowly when the service stops
MAX_OF_USER = 20  # tabs and devices of somebody who is signed in


@dataclass(frozen=True)
class StreamLimits:
    """How many streams one replica holds: altogether, and of one address, which may be a whole office."""

    total: int
    of_address: int


class LiveStreams:
    """The streams of one replica."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    def open(
        self, request: Request, visitor: Visitor, stream: AsyncIterator[bytes], *, deflated: bool = False
    ) -> Response:
        """Send these messages for as long as the page is open. Raises TooManyRequests, Unavailable."""
        visitor_key, limit = self._count_for(request, visitor)
        if self.count >= self._limits.total:
            raise Unavailable
        if self._open[visitor_key] >= limit:
            raise TooManyRequests
        return _LiveResponse(
            self._counted(visitor_key, stream),
            headers={"Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if deflated else {})},
            ping_message_factory=lambda: _EncodedPing(DEFLATED_PING if deflated else PING),
            send_timeout=SEND_TIMEOUT_S,
        )

    def _count_for(self, request: Request, visitor: Visitor) -> tuple[str, int]:
        if visitor.user is not None:
            return str(visitor.user.id), MAX_OF_USER
        return find_address(request), self._limits.of_address

    async def _counted(self, visitor_key: str, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open[visitor_key] += 1
        try:
            async for message in stream:
                yield message
        finally:
            self._open[visitor_key] -= 1
            if self._open[visitor_key] <= 0:
                del self._open[visitor_key]


class _LiveResponse(EventSourceResponse):
    """Ends properly when the service stops, where it would be cut short, with an error in the log for each."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        if self.active and scope["method"] != "HEAD":
            with suppress(TimeoutError):
                async with asyncio.timeout(END_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _EncodedPing(ServerSentEvent):
    """A ping whose bytes are ready."""

    def __init__(self, content: bytes) -> None:
        super().__init__(comment="")
        self._content = content

    def encode(self) -> bytes:
        return self._content
