"""Secrets and personal data are in no log, event, metric, trace, error or dump, and no other role reads them."""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import prometheus_client
import pytest
import structlog
from auth_helpers import (
    ALL,
    NEW_KEY,
    OLD_KEY,
    OPERATOR_KEY,
    SECRET,
    SYNC_KEY,
    WEB_KEY,
    AuthUnderTest,
    make_context,
    start_replica,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from auth.revocations.use_cases import revoke_next
from auth.token_encryption import Keyring
from devstack.servers.postgres import PROGRAMS, SITE
from devstack.servers.roles import open_connection
from shared.contracts.events import StravaDeauthorizationReported
from shared.observability import tracing
from testkit.databases import execute
from testkit.servers import LazyServers

SERVICES = ("auth", "sync", "ingest", "leaderboard", "web")
PROFILE = {
    "id": 7,
    "username": "canary-username",
    "firstname": "Anna",
    "lastname": "Canarykowska",
    "city": "Canaryville",
    "state": "Canaryshire",
    "country": "Canaryland",
    "sex": "F",
    "profile": "https://canary.example/large.jpg",
    "profile_medium": "https://canary.example/medium.jpg",
    "email": "canary@example.org",
}
#: What may not be anywhere. The display name, "Anna C.", may be in the database and in events, and nowhere else.
PERSONAL = (
    "canary-username",
    "Canarykowska",
    "Canaryville",
    "Canaryshire",
    "Canaryland",
    "canary.example",
    "canary@",
)
NAME = "Anna C."


class Seeded:
    """Strava's token answers with secrets of our own making; `issued` are all of them."""

    def __init__(self) -> None:
        self.issued: set[str] = set()

    def _new(self, kind: str) -> str:
        # Of no shape that a redactor knows.
        self.issued.add(value := f"{kind}x{secrets.token_hex(8)}y")
        return value

    def code(self) -> str:
        return self._new("code")

    def answer(self, *, life_s: int, athlete: bool = True) -> httpx.Response:
        fields: dict[str, Any] = {
            "token_type": "Bearer",
            "access_token": self._new("access"),
            "refresh_token": self._new("refresh"),
            "expires_at": int(datetime.now(UTC).timestamp()) + life_s,
        }
        return httpx.Response(200, json=fields | ({"athlete": PROFILE} if athlete else {}))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
    return exporter


async def dump(database_url: str) -> str:
    """What pg_dump says of the database."""
    process = await asyncio.create_subprocess_exec(
        str(SITE / PROGRAMS / "bin" / "pg_dump"),
        "--schema=auth",
        database_url.replace("+asyncpg", ""),
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0
    return said


async def test_no_secret_and_no_personal_data_gets_out(
    service: AuthUnderTest,
    spans: InMemorySpanExporter,
    database_url_for: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx")  # as in `configure_logging`; these are the test's own requests, too
    seeded, script, answers = Seeded(), service.transport.script, []
    states: set[str] = set()
    dumps = []

    async def sign_in(*strava: httpx.Response | Exception, **fields: str) -> httpx.Response:
        state = await service.state()
        states.update((state, service.browser))
        script.extend(strava)
        answers.append(await service.complete(state, **fields))
        return answers[-1]

    with structlog.testing.capture_logs() as lines:
        code = seeded.code()
        signed_in = await sign_in(httpx.ConnectError("refused"), seeded.answer(life_s=-60), code=code, scope=ALL)
        user = signed_in.json()["user_id"]
        dumps.append(await dump(database_url_for("auth")))
        await sign_in(httpx.Response(400, json={"errors": [{"resource": "RequestToken"}]}), code=code, scope=ALL)
        await sign_in(error="access_denied")
        await sign_in(code=seeded.code(), scope="read")
        await sign_in(httpx.Response(200, json={"access_token": seeded.code()}), code=seeded.code(), scope=ALL)
        await sign_in(code=seeded.code() * 60, scope=ALL)
        answers.append(await service.web.get("/users/" + seeded.code()))
        script.extend([httpx.Response(503, text=seeded.code()), seeded.answer(life_s=21600, athlete=False)])
        answers.append(await service.token(user))
        refreshed = await service.token(user)
        answers.append(await service.token(user, fresh=seeded.code()))
        both = make_context(
            service.database, service.strava_client, keyring=Keyring.parse(f"n:{NEW_KEY},k1:{OLD_KEY}")
        )
        async with start_replica(service.database, service.strava_client, both) as rotating:
            answers += [await rotating.operator.post("/vault/rotate"), await rotating.operator.get("/vault")]
            answers.append(await service.token(user))  # which lacks the new key
            await service.handle(StravaDeauthorizationReported(athlete_id=7, event_time=datetime.now(UTC)))
            dumps.append(await dump(database_url_for("auth")))
            answers.append(await rotating.web.delete(f"/users/{user}/authorization"))
            script.append(httpx.Response(503, text="away"))
            await revoke_next(both)
            dumps.append(await dump(database_url_for("auth")))
        answers.append(await service.web.delete(f"/users/{user}"))
        await execute(service.database, "update revocations set not_before = now()")
        await service.revoke_all()
        dumps.append(await dump(database_url_for("auth")))

    assert refreshed.json()["access_token"] in seeded.issued, "sync alone gets it"
    logged = f"{lines} {caplog.text} {capsys.readouterr()}"
    quiet = {
        "logs": logged,
        "metrics": prometheus_client.generate_latest().decode(),
        "traces": str([span.to_json() for span in spans.get_finished_spans()]),
        "errors": str([answer.text for answer in answers if not answer.is_success]),
    }
    spoken = {
        "events": json.dumps(await service.events(), ensure_ascii=False),
        "dump": str(dumps),
        "answers": str([answer.text for answer in answers]),
    }
    assert "stamina.retry_scheduled" in quiet["logs"]
    assert "auth_sign_ins_total" in quiet["metrics"]
    assert "process auth.people" in quiet["traces"]
    assert "token_unreadable" in quiet["errors"]
    assert await service.events("user.erased")
    assert NAME in spoken["dump"]
    keys = {SECRET, WEB_KEY, SYNC_KEY, OPERATOR_KEY, OLD_KEY, NEW_KEY}
    for where, text in (quiet | spoken).items():
        for secret in (*seeded.issued, *states, *keys, *PERSONAL):
            assert secret not in text, f"{secret[:12]} is in the {where}"
    for where, text in quiet.items():
        assert NAME not in text, f"a name is in the {where}"


async def test_no_other_services_role_reads_what_auth_keeps(test_servers: LazyServers) -> None:
    urls = test_servers.database(*SERVICES)
    async with open_connection(urls["auth"]) as connection:
        await connection.execute("create table tokens (refresh_token text)")
        await connection.execute("insert into tokens values ('secret')")
        assert await connection.fetchval("select count(*) from auth.tokens") == 1
    for service in SERVICES[1:]:
        async with open_connection(urls[service]) as connection:
            for statement in (
                "select * from auth.tokens",
                "select count(*) from auth.tokens",
                "insert into auth.tokens values ('x')",
                "create table auth.mine (id int)",
                "copy auth.tokens to stdout",
                "set role auth",
                "create extension dblink",
            ):
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await connection.execute(statement)
                assert refused.value.sqlstate in ("42501", "22023"), f"{service}: {statement}: {refused.value}"
