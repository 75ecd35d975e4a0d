"""What every request must satisfy before any other code parses it; everything else gets a 4xx with one sentence."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_TARGET_BYTES = 4_096  # of path and query together
MAX_HEADERS_BYTES = 16_384
MAX_BODY_BYTES = 65_536
MAX_COOKIE_BYTES = 256  # of one cookie of ours

# RFC 9110: a name or an IPv4 address, or an IPv6 address in brackets; then maybe a port.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_COOKIE_VALUE = re.compile(rb"[A-Za-z0-9._~+/=-]*")


class Refused(Exception):
    """The request is not processed; `status` is 4xx and the text says why, for whoever sent it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class RequestLimits:
    """ASGI middleware: bounds target, headers and body, and refuses what libraries would fail on.

    `cookies` are the names that the application reads. Others are removed: Python 3.11's parser of quoted cookies
    takes quadratic time, and FastAPI calls it for every request.
    """

    def __init__(self, app: ASGIApp, cookies: Collection[str] = ()) -> None:
        self._app = app
        self._cookies = frozenset(name.encode() for name in cookies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope = {**scope, "headers": self._checked_headers(scope)}
            received = await _receive_body(scope, receive)
        except Refused as refused:
            response = PlainTextResponse(str(refused), refused.status, {"Connection": "close"})
            await response(scope, receive, send)
            return
        if received is not None:
            await self._app(scope, _replay(received, receive), send)

    def _checked_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode(errors="replace")
        if len(raw_path) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            raise Refused(414, "The address is too long.")
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:  # Postgres takes no NUL in a text
            raise Refused(400, "The address is malformed.")
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS_BYTES:
            raise Refused(431, "The headers are too long.")
        if not all(_is_host(value) for name, value in headers if name == b"host"):
            raise Refused(400, "The header Host is malformed.")
        return [(name, self._known_cookies(value) if name == b"cookie" else value) for name, value in headers]

    def _known_cookies(self, header: bytes) -> bytes:
        pairs = (pair.strip().partition(b"=") for pair in header.split(b";"))
        return b"; ".join(
            name + b"=" + value
            for name, _, value in pairs
            if name in self._cookies and len(value) <= MAX_COOKIE_BYTES and _COOKIE_VALUE.fullmatch(value)
        )


def _is_host(value: bytes) -> bool:
    if not _HOST.fullmatch(value):
        return False
    try:
        urlsplit(b"//" + value).port  # noqa: B018 - raises for what is no address and no port
    except ValueError:
        return False
    return True


async def _receive_body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None when the client left before its end."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        return b""
    if length is not None and not _LENGTH.fullmatch(length):
        raise Refused(400, "The header Content-Length is malformed.")
    if length is not None and int(length) > MAX_BODY_BYTES:
        raise Refused(413, "The request is too large.")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, "The request is too large.")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first; afterwards it is the server's own."""
    replayed = False

    async def give() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
