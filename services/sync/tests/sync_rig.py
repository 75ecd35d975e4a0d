"""The worker in this process, with the simulator as its Strava and a hand-written auth."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from shared.contracts.events import UserAuthorized
from shared.database.engine import Database
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor
from stravasim.simulator import Simulator
from stravasim.strava.oauth import ACCESS_LIFETIME, Grant, Rotation
from sync.handlers import HANDLERS
from sync.worker import Worker

ATHLETE = 7
USER = UUID(int=7)
SCOPES = frozenset({"read", "activity:read", "activity:read_all"})
Odd = httpx.Response | Exception


@dataclass
class FakeAuth:
    """auth's answer to a request for a token: one that the simulator issued, or what a test wants."""

    strava: Simulator
    odd: list[Odd] = field(default_factory=list)
    asked: list[httpx.URL] = field(default_factory=list)
    revoked: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if self.odd:
            return _or_raise(self.odd.pop(0))
        if self.revoked:
            return httpx.Response(409, json={"code": "reauthorization_needed", "message": "Gone."})
        return httpx.Response(200, json={"access_token": self.token(), "expires_at": datetime.now(UTC).isoformat()})

    def token(self, lifetime_s: int = ACCESS_LIFETIME) -> str:
        issued = self.strava.now() - ACCESS_LIFETIME + lifetime_s
        code = self.strava.tokens.approve(Grant(ATHLETE, SCOPES), issued)
        answer = self.strava.tokens.handle_token_request(
            {
                "client_id": "12345",
                "client_secret": "simulated-secret",
                "grant_type": "authorization_code",
                "code": code,
            },
            issued,
            Rotation.RENEWAL,
        )
        return str(answer.access.value)  # type: ignore[union-attr]


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """The way to auth and to Strava, which may answer oddly or do something meanwhile."""

    strava: httpx.AsyncBaseTransport
    auth: FakeAuth
    odd: list[Odd | None] = field(default_factory=list)
    meanwhile: dict[int, Callable[[], Awaitable[object]]] = field(default_factory=dict)  # before that call
    calls: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            return self.auth.answer(request)
        self.calls += 1
        if action := self.meanwhile.pop(self.calls, None):
            await action()
        odd = self.odd.pop(0) if self.odd else None
        return await self.strava.handle_async_request(request) if odd is None else _or_raise(odd)


def _or_raise(odd: Odd) -> httpx.Response:
    if isinstance(odd, Exception):
        raise odd
    return odd


@dataclass
class World:
    worker: Worker
    wire: Wire
    auth: FakeAuth
    strava: Simulator
    database: Database

    def give(self, *ids: int, **fields: Any) -> None:
        """Activities on Strava, the first one the newest."""
        for number, strava_id in enumerate(ids):
            start = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(minutes=number)
            self.strava.dataset.add_activity(
                ATHLETE, {"id": strava_id, "sport_type": "Run", "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}", **fields}
            )

    async def authorize(self, user: UUID = USER, athlete: int = ATHLETE) -> None:
        event = UserAuthorized(
            user_id=user,
            athlete_id=athlete,
            display_name="Anna K.",
            scopes=tuple(SCOPES),
            is_admin=False,
            consent_version="1",
            authorized_at=datetime.now(UTC),
            first_time=True,
        )
        outcome = await InboxProcessor("sync.people", self.database, HANDLERS).process([Delivery(uuid4(), event)])
        assert outcome == [None]

    async def execute(self, statement: str, **parameters: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(statement), parameters)

    async def rows(self, statement: str) -> list[Any]:
        async with self.database.transaction() as session:
            return list(await session.execute(text(statement)))

    async def job(self) -> Any:
        [job] = await self.rows("select *, extract(epoch from not_before - now()) as wait_s from jobs")
        return job

    async def athlete(self) -> Any:
        [athlete] = await self.rows("select * from athletes")
        return athlete

    async def events(self, topic: str = "") -> list[dict[str, Any]]:
        rows = await self.rows("select routing_key, body from outbox order by seq")
        return [json.loads(row.body) for row in rows if row.routing_key.startswith(topic)]

    async def due_now(self) -> None:
        await self.execute("update jobs set not_before = now() - interval '1 s'")


__all__ = ["ATHLETE", "USER", "FakeAuth", "Wire", "World"]
