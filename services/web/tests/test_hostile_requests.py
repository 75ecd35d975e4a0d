"""Whatever a stranger sends, every public route answers without trouble."""

import asyncio
import http.cookies
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs
from web_fakes import FakeAuth, FakeLeaderboard
from web_harness import build
from web_server import Server

from shared.database.engine import Database
from shared.http.request_limits import MAX_BODY_BYTES, MAX_HEADERS_BYTES
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request
from web.config import Settings
from web.main import create_service

WORKING = {
    "database_url": "postgresql+asyncpg://web@127.0.0.1:1/web",
    "rabbitmq_url": "amqp://127.0.0.1:1/",
    "http_port": 1,
    "internal_port": 2,
    "auth_url": "http://127.0.0.1:1",
    "auth_api_key": "key",
    "web_operator_key": "the-key-of-operators",
    "leaderboard_url": "http://127.0.0.1:1",
    "public_url": "https://club.example",
    "leaderboard_api_key": "x" * 16,
}
SAME_SITE = (b"sec-fetch-site", b"same-origin")
FORM = (b"content-type", b"application/x-www-form-urlencoded")
USUAL = [SAME_SITE, FORM, (b"host", b"club.example"), (b"accept-encoding", b"gzip")]


@pytest.fixture(scope="module")
async def site(web_database: Database) -> AsyncIterator[FastAPI]:
    app = build(web_database, FakeLeaderboard(), FakeAuth())
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def served() -> AsyncIterator[httpx.AsyncClient]:
    """The application as `main` puts it together, without its servers."""
    service = create_service(Settings.model_validate(WORKING))
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://club.example") as client:
        yield client


def test_the_night_is_where_sync_is_told_that_it_is() -> None:
    service = create_service(Settings.model_validate({**WORKING, "nightly_time_zone": "Asia/Tokyo"}))
    assert service.app.state.context.nightly_time_zone == "Asia/Tokyo"
    with pytest.raises(ValidationError, match="expected a time zone such as Europe/Warsaw"):
        Settings.model_validate({**WORKING, "nightly_time_zone": "Mars/Olympus"})


@pytest.fixture(scope="module")
def requests(site: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    return request_strategy(site, USUAL)


@fuzz_settings
@given(data=st.data())
async def test_no_request_of_a_stranger_causes_an_unhandled_error(
    site: FastAPI, requests: st.SearchStrategy[FuzzedRequest], statuses: Counter[int], data: st.DataObject
) -> None:
    with capture_logs() as logged:
        answer = await send_request(site, data.draw(requests))
    statuses[answer.status] += 1
    assert answer.status < 500
    assert b"content-security-policy" in answer.headers
    assert [line for line in logged if line["log_level"] in {"error", "critical"}] == []


BRACKET = "http://[" + "token" * 12_000 + "]"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"POST / HTTP/1.1\r\nHost: it\r\nOrigin: {BRACKET[:15_000]}]\r\n", 403),
        (f"GET / HTTP/1.1\r\nHost: it\r\nOrigin: {BRACKET}\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: [\r\n", 400),
        ("GET /privacy HTTP/1.1\r\nHost: it:99999\r\n", 400),
        ('GET / HTTP/1.1\r\nHost: it\r\nCookie: theme="' + "\\" * 12_000 + '"\r\n', 200),
        ("GET /" + "x" * 5_000 + " HTTP/1.1\r\nHost: it\r\n", 414),
        ("GET /c/a%00b/c HTTP/1.1\r\nHost: it\r\n", 400),
        (f"POST /join HTTP/1.1\r\nHost: it\r\nSec-Fetch-Site: none\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n", 413),
        ("POST /join HTTP/1.1\r\nHost: it\r\nSec-Fetch-Site: none\r\nContent-Type: multipart/form-data\r\n", 415),
        ("BREW / HTTP/1.1\r\nHost: it\r\n", 403),
        ("no HTTP at all\r\n", 400),
    ],
)
async def test_a_malformed_request_gets_a_quiet_4xx_and_costs_nothing(server: Server, head: str, status: int) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + b"Connection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.split()[1] == str(status)
    assert "Traceback" not in answer
    assert "token" not in answer


async def test_a_body_that_never_says_its_length_is_bounded(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += MAX_BODY_BYTES // 10
            yield b"x" * (MAX_BODY_BYTES // 10)

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/join", content=endless(), headers=headers)).status_code == 413
    assert sent < 2 * MAX_BODY_BYTES, "the rest was not read"


async def test_cookies_of_other_sites_are_not_even_parsed(
    served: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unquoted: list[str] = []
    unquote = http.cookies._unquote  # type: ignore[attr-defined]
    monkeypatch.setattr(http.cookies, "_unquote", lambda value: unquoted.append(value) or unquote(value))
    page = await served.get("/privacy", headers={"Cookie": 'tracker="' + "\\" * 2_000 + '"; lang=pl'})
    assert page.status_code == 200
    assert '<html lang="pl"' in page.text
    assert set(unquoted) == {"pl"}


async def test_headers_up_to_the_limit_are_welcome(client: httpx.AsyncClient) -> None:
    long = {"X-Long": "x" * (MAX_HEADERS_BYTES - 1_000)}
    assert (await client.get("/privacy", headers=long)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/c/autumn/running", "/c/autumn", "/join", "/privacy", "/terms"])
async def test_monitors_may_ask_with_head(client: httpx.AsyncClient, path: str) -> None:
    asked, got = await client.head(path), await client.get(path)
    assert (asked.status_code, asked.text) == (got.status_code, "")
    assert asked.headers.get("content-type") == got.headers.get("content-type")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/health/live", "/health/ready", "/metrics", "/sessions"])
async def test_what_operators_read_answers_no_stranger(served: httpx.AsyncClient, path: str) -> None:
    assert (await served.get(path)).status_code == 404
