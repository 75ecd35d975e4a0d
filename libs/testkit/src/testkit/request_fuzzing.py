"""Generates hostile HTTP requests for an application, for tests that no request causes a 5xx response.

FUZZ_REQUESTS sets the number of requests per test.
"""

import asyncio
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from starlette.types import Message, Scope

TIMEOUT_S = 20.0
MAX_REPEATED = 20_000

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "BREW", ""]
HEADERS = [
    "host",
    "origin",
    "cookie",
    "referer",
    "accept",
    "accept-language",
    "accept-encoding",
    "authorization",
    "content-type",
    "content-length",
    "transfer-encoding",
    "sec-fetch-site",
    "last-event-id",
    "traceparent",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "hx-request",
    "range",
    "if-none-match",
    "upgrade",
    "expect",
]
ADDRESS_HEADERS = ["host", "origin", "referer"]
FRAGMENTS = [
    *rb"""[ ] [::1] : :// http:// // / \ .. ? # @ % %00 %ff %ed%a0%80 %25 + = ; , & " ' < { } $ * token code state
    lang theme __Host-session __Host-sign-in pl pl-PL;q=0.5 en same-origin none null chunked gzip consent=yes back=//x
    application/x-www-form-urlencoded multipart/form-data;boundary=x application/json charset=punycode
    -1 0 99999999999999999999 1e999 NaN club.example""".split(),
    *(b" ", b"\t", b"Bearer ", b"\x7f", b"\xb2", b"\xff", b"\xc5\xbb", b"\xf0\x9f\x9a\xb2"),
]
_fragment = st.sampled_from(FRAGMENTS) | st.binary(max_size=8)
_fragments = st.lists(_fragment, max_size=5).map(b"".join)
#: Mostly short; some are one fragment repeated, to find parsers of superlinear time.
_value = _fragments | st.builds(
    lambda fragment, size: fragment * (size // max(1, len(fragment))), _fragment, st.integers(0, MAX_REPEATED)
)
#: Hypothesis settings for tests that draw requests.
fuzz_settings = settings(
    max_examples=int(os.environ.get("FUZZ_REQUESTS", "150")), deadline=None, suppress_health_check=list(HealthCheck)
)
_CONTROL = bytes(byte for byte in range(32) if byte != 9)


@dataclass(frozen=True)
class FuzzedRequest:
    """One request as an ASGI server passes it to the application."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True)
class FuzzedResponse:
    """The start of the response."""

    status: int
    headers: dict[bytes, bytes]


def request_strategy(
    app: FastAPI, common_headers: Sequence[tuple[bytes, bytes]] = ()
) -> st.SearchStrategy[FuzzedRequest]:
    """Requests to the routes of `app` and to other paths.

    Each has up to four hostile headers, most also all but one or all of `common_headers`.
    """
    hosts = st.sampled_from([b"[", b"]", b"[]", b"[::1]", b"[token]", b"a:b", b"a:99999", b"@", b"a@b"]) | _value
    address = st.builds(bytes.__add__, st.sampled_from([b"", b"http://", b"https://"]), hosts)
    field = st.tuples(st.sampled_from(HEADERS), _value) | st.tuples(st.sampled_from(ADDRESS_HEADERS), address)
    odd_headers = st.lists(field.map(lambda pair: (pair[0].encode(), _to_header_value(pair[1]))), max_size=4)
    some_common = (
        st.sets(st.sampled_from(common_headers), min_size=len(common_headers) - 1)
        if common_headers
        else st.just(set())
    )
    return st.builds(
        FuzzedRequest,
        st.sampled_from(["GET", "POST"]) | st.sampled_from(METHODS),
        _path_strategy(_list_path_templates(app)),
        _value.map(_to_request_line),
        st.builds(lambda some, other_paths: (*some, *other_paths), odd_headers, some_common | st.just(set())),
        _value | st.lists(st.sampled_from([b"consent=yes", b"back=", b"&", b"lang=pl"]) | _fragment).map(b"".join),
    )


async def send_request(app: FastAPI, request: FuzzedRequest) -> FuzzedResponse:
    """Send a request to the application.

    Raises what the application raises, and TimeoutError when it does not respond within TIMEOUT_S seconds.
    """
    sent: list[Message] = []
    received: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Message:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(TIMEOUT_S):
        await app(_scope(request), receive, send)
    start = sent[0]
    assert start["type"] == "http.response.start"
    return FuzzedResponse(start["status"], dict(start["headers"]))


def _scope(request: FuzzedRequest) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": unquote(request.path.decode("ascii")),
        "raw_path": request.path,
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers),
        "client": ("192.0.2.1", 4711),
        "server": ("192.0.2.2", 80),
        "state": {},
    }


def _list_path_templates(app: FastAPI) -> list[str]:
    with warnings.catch_warnings(action="ignore"):  # about duplicate operation ids, which do not matter here
        return list(app.openapi()["paths"])


def _path_strategy(templates: Sequence[str]) -> st.SearchStrategy[bytes]:
    def fill(template: str, values: list[bytes]) -> bytes:
        left = iter(values)
        return re.sub(rb"\{[^}]*\}", lambda _: next(left, b"x"), template.encode())

    values = st.lists(
        (_value | st.sampled_from([b"autumn", b"running", b"main", b"current"])).map(_to_request_line), max_size=3
    )
    other_paths = _value.map(_to_request_line).map(b"/".__add__)
    return st.builds(fill, st.sampled_from(templates), values) | other_paths


def _to_request_line(value: bytes) -> bytes:
    """Without the bytes that HTTP servers reject in a request line."""
    return bytes(byte for byte in value if 0x21 <= byte <= 0x7E)


def _to_header_value(value: bytes) -> bytes:
    """Without the bytes that HTTP servers reject in a header value."""
    return value.translate(None, _CONTROL)
