"""Makes calls go wrong on the wire: an ASGI layer around everything that plays Strava."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stravasim.faults import BAD_TOKEN, SERVER_ERROR
from stravasim.mishaps import Kind, Mishap
from stravasim.oauth import bearer_of
from stravasim.simulator import Simulator

PLAYED = ("/api/v3/", "/oauth/", "/athlete", "/activities", "/push_subscriptions")
_SPOILING = frozenset({Kind.SLOW, Kind.CUT, Kind.INVALID_JSON})
_PIECES = 10
_HTML = b"<html><head><title>503 Service Unavailable</title></head><body><h1>503</h1></body></html>"
_ODD = b"<html><body>597</body></html>"


def token_of(scope: Scope) -> str:
    """The bearer token of a call, or nothing."""
    return bearer_of(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))


class Accidents:
    """Passes calls on to the application, unless something befalls them."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if not self._simulator.mishaps or scope["type"] != "http" or not scope["path"].startswith(PLAYED):
            await self._app(scope, receive, send)
            return
        path, token = scope["path"].removeprefix("/api/v3"), token_of(scope)
        mishap = self._simulator.mishaps.draw(self._simulator.tokens.athlete_of(token), path)
        if mishap is None:
            await self._app(scope, receive, send)
        elif mishap.kind in _SPOILING:
            await self._spoil(mishap, scope, receive, send)
        else:
            read = (scope["method"], path) != ("POST", "/activities")
            self._simulator.count_broken(scope["path"], token, read=read)
            await _refuse(mishap, send)

    async def _spoil(self, mishap: Mishap, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the right answer whole, and give it in another way."""
        start: MutableMapping[str, Any] = {}
        body = b""

        async def take(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")

        await self._app(scope, receive, take)
        half = body[: max(len(body) // 2, 1)]
        if mishap.kind == Kind.INVALID_JSON:
            others = [header for header in start["headers"] if header[0].lower() != b"content-length"]
            length = (b"content-length", str(len(half)).encode())
            await send({**start, "headers": [*others, length]})
            await send({"type": "http.response.body", "body": half})
            return
        await send(start)
        if mishap.kind == Kind.CUT:
            await send({"type": "http.response.body", "body": half, "more_body": True})
            return  # the server ends the connection of an answer that is not complete
        size = max(1, -(-len(body) // _PIECES))
        for at in range(0, len(body), size):
            await asyncio.sleep(mishap.seconds / _PIECES)
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(mishap: Mishap, send: Send) -> None:
    match mishap.kind:
        case Kind.ERROR_500:
            await _answer(send, 500, SERVER_ERROR.body())
        case Kind.HTML_503:
            await _answer(send, 503, _HTML, b"text/html")
        case Kind.ODD_597:
            await _answer(send, 597, _ODD, b"text/html")
        case Kind.UNAUTHORIZED:
            await _answer(send, 401, BAD_TOKEN.body())
        case _:
            await asyncio.sleep(mishap.seconds)
            await _break_off(send)


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"application/json; charset=utf-8") -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _break_off(send: Send) -> None:
    """Promise a body and never send it: the only way to have the server end the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
