"""ASGI middleware that applies the fault rules to requests of Strava's clients."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stravasim.fault_injection import FaultKind, FaultRule
from stravasim.simulator import Simulator
from stravasim.strava.errors import INVALID_TOKEN, SERVER_ERROR
from stravasim.strava.oauth import parse_bearer

STRAVA_PATHS = ("/api/v3/", "/oauth/", "/athlete", "/activities", "/push_subscriptions")
_DISTORTING = frozenset({FaultKind.SLOW, FaultKind.DISCONNECT, FaultKind.INVALID_JSON})
_CHUNKS = 10
_HTML_503 = b"<html><head><title>503 Service Unavailable</title></head><body><h1>503</h1></body></html>"
_HTML_597 = b"<html><body>597</body></html>"


def read_bearer(scope: Scope) -> str:
    """The bearer token of a request, or an empty text."""
    return parse_bearer(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))


class FaultMiddleware:
    """Forwards requests to the application, except where a fault rule applies."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if not self._simulator.faults or scope["type"] != "http" or not scope["path"].startswith(STRAVA_PATHS):
            await self._app(scope, receive, send)
            return
        path, token = scope["path"].removeprefix("/api/v3"), read_bearer(scope)
        rule = self._simulator.faults.match(self._simulator.tokens.find_athlete_id(token), path)
        if rule is None:
            await self._app(scope, receive, send)
        elif rule.kind in _DISTORTING:
            await self._distort(rule, scope, receive, send)
        else:
            read = (scope["method"], path) != ("POST", "/activities")
            self._simulator.count_faulted(scope["path"], token, read=read)
            await _fail(rule, send)

    async def _distort(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect the correct response, then send it slowly or in part."""
        start: MutableMapping[str, Any] = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")

        await self._app(scope, receive, collect)
        half = body[: max(len(body) // 2, 1)]
        if rule.kind == FaultKind.INVALID_JSON:
            others = [header for header in start["headers"] if header[0].lower() != b"content-length"]
            length = (b"content-length", str(len(half)).encode())
            await send({**start, "headers": [*others, length]})
            await send({"type": "http.response.body", "body": half})
            return
        await send(start)
        if rule.kind == FaultKind.DISCONNECT:
            await send({"type": "http.response.body", "body": half, "more_body": True})
            return  # the server closes the connection of an incomplete response
        size = max(1, -(-len(body) // _CHUNKS))
        for at in range(0, len(body), size):
            await asyncio.sleep(rule.seconds / _CHUNKS)
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _fail(rule: FaultRule, send: Send) -> None:
    match rule.kind:
        case FaultKind.ERROR_500:
            await _respond(send, 500, SERVER_ERROR.to_json())
        case FaultKind.HTML_503:
            await _respond(send, 503, _HTML_503, b"text/html")
        case FaultKind.STATUS_597:
            await _respond(send, 597, _HTML_597, b"text/html")
        case FaultKind.UNAUTHORIZED:
            await _respond(send, 401, INVALID_TOKEN.to_json())
        case _:
            await asyncio.sleep(rule.seconds)
            await _close_connection(send)


async def _respond(send: Send, status: int, body: bytes, kind: bytes = b"application/json; charset=utf-8") -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _close_connection(send: Send) -> None:
    """Announce a body and never send it: the only way to make the server close the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
