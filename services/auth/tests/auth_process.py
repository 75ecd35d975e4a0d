"""auth as its operator starts it: a process, which tests kill, beside a Strava that they can hold up."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from auth_helpers import OLD_KEY, OPERATOR_KEY, SECRET, SYNC_KEY, WEB_KEY
from starlette.types import ASGIApp, Receive, Scope, Send

from devstack.process.ports import release_ports, reserve_ports
from testkit.waiting import wait_until

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


@dataclass
class HeldStrava:
    """ASGI middleware before the simulator that holds up a token request before or after Strava handles it."""

    app: ASGIApp
    hold: str = ""  # "before" or "after"
    held: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    token_requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/oauth/token"):
            await self.app(scope, receive, send)
            return
        self.token_requests += 1
        if self.hold == "before":
            await self._hold()
        sent: list[dict[str, object]] = []

        async def collect(message: dict[str, object]) -> None:
            sent.append(message)

        await self.app(scope, receive, collect)  # type: ignore[arg-type]
        if self.hold == "after":
            await self._hold()
        for message in sent:
            await send(message)

    async def _hold(self) -> None:
        self.held.set()
        await self.go_on.wait()

    def release(self) -> None:
        """Hold up nothing any more."""
        self.hold = ""
        self.go_on.set()


@dataclass
class AuthProcess:
    """The process, and what it wrote so far."""

    process: asyncio.subprocess.Process
    url: str
    internal_url: str
    output: Path

    def client(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=40)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def terminate(self) -> int:
        self.process.terminate()
        async with asyncio.timeout(60):
            return await self.process.wait()


@asynccontextmanager
async def auth_process(
    strava_url: str, database_url: str, rabbitmq_url: str, output: Path, **settings: str
) -> AsyncIterator[AuthProcess]:
    """A running auth; it is killed at the end if it has not ended."""
    ports = reserve_ports(2)
    env = {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "DATABASE_URL": database_url.replace("+asyncpg", ""),
        "RABBITMQ_URL": rabbitmq_url,
        "HTTP_PORT": str(ports[0]),
        "INTERNAL_PORT": str(ports[1]),
        "LOG_LEVEL": "DEBUG",
        "STRAVA_CLIENT_ID": "12345",
        "STRAVA_CLIENT_SECRET": SECRET,
        "STRAVA_REDIRECT_URI": "http://localhost:8000/auth/strava/callback",
        "STRAVA_OAUTH_URL": f"{strava_url}/oauth",
        "VAULT_KEYS": f"k1:{OLD_KEY}",
        "AUTH_API_KEY": WEB_KEY,
        "VAULT_ACCESS_KEY": SYNC_KEY,
        "AUTH_OPERATOR_KEY": OPERATOR_KEY,
        **settings,
    }
    with output.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "auth.main", env=env, stdout=file, stderr=asyncio.subprocess.STDOUT
        )
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    running = AuthProcess(process, *urls, output)
    try:
        async with httpx.AsyncClient() as client:
            await wait_until(lambda: _answers_or_ended(client, running), "auth answers")
        yield running
    finally:
        if process.returncode is None:
            await running.kill()
        release_ports(ports)


async def _answers_or_ended(client: httpx.AsyncClient, running: AuthProcess) -> bool:
    if running.process.returncode is not None:
        return True
    try:
        return (await client.get(f"{running.internal_url}/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
