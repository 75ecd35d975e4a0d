"""An application on a real port, and a webhook callback, for tests that need real connections."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from testkit.waiting import wait_until


@asynccontextmanager
async def serve_app(app: Any) -> AsyncIterator[str]:
    """The address of an application on a free port."""
    # With the protocol given, so that asyncio disables Nagle's algorithm, as for `stravasim serve`.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve(sockets=[listener]))
        await wait_until(lambda: server.started or task.done())
        assert server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass
class Callback:
    """A webhook receiver: the received events, and the next responses (a status, or seconds to wait before 200)."""

    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    responses: list[int | float] = field(default_factory=list)
    challenge_body: bytes | None = None  # the answer to the challenge, if not the right one
    delay_per_byte_s: float = 0.0  # between the bytes of the challenge's answer
    queries: list[dict[str, str]] = field(default_factory=list)
    verify_tokens: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/hook", self._challenge, methods=["GET"]), Route("/hook", self._receive, methods=["POST"])]
        )

    async def _challenge(self, request: Request) -> Response:
        self.verify_tokens.append(request.query_params["hub.verify_token"])
        self.queries.append(dict(request.query_params))
        right = bytes(JSONResponse({"hub.challenge": request.query_params["hub.challenge"]}).body)
        body = right if self.challenge_body is None else self.challenge_body
        return StreamingResponse(self._slowly(body)) if self.delay_per_byte_s else Response(body)

    async def _slowly(self, body: bytes) -> AsyncIterator[bytes]:
        for at in range(len(body)):
            await asyncio.sleep(self.delay_per_byte_s)
            yield body[at : at + 1]

    async def _receive(self, request: Request) -> Response:
        self.queries.append(dict(request.query_params))
        response = self.responses.pop(0) if self.responses else 200
        if isinstance(response, float):
            await asyncio.sleep(response)
            response = 200
        if response == 200:
            self.bodies.append(await request.body())
            self.headers.append(dict(request.headers))
            self.events.append(await request.json())
        return Response(status_code=int(response))


def started(number: int, **more: Any) -> Mapping[str, Any]:
    """A small activity: `number` is its id and its start in minutes after 2026-06-01 00:00 UTC."""
    start = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=number)
    return {"id": number, "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}", **more}


async def consent(address: str, query: Mapping[str, str], athlete_id: int, granted: list[str]) -> str:
    """The code that an athlete's browser brings back from the consent page."""
    form = {"athlete_id": str(athlete_id), "decision": "authorize", "granted": granted}
    async with httpx.AsyncClient(base_url=address, trust_env=False) as browser:
        page = await browser.get("/oauth/authorize", params=query)
        assert page.status_code == 200, page.text
        sent = await browser.post("/oauth/authorize", data=dict(query) | form)
    back = parse_qs(urlsplit(sent.headers["location"]).query)
    assert back.get("state") == ([query["state"]] if "state" in query else None)
    return back["code"][0]


async def sign_in(address: str, athlete_id: int, scopes: list[str]) -> str:
    """An access token, got as an application gets it."""
    query = {
        "client_id": "12345",
        "redirect_uri": "http://localhost/",
        "response_type": "code",
        "scope": ",".join(scopes),
        "state": "s",
    }
    code = await consent(address, query, athlete_id, scopes)
    form = {
        "client_id": "12345",
        "client_secret": "simulated-secret",
        "grant_type": "authorization_code",
        "code": code,
    }
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        return str((await client.post("/oauth/token", data=form)).json()["access_token"])
