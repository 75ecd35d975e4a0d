"""API keys: what they open, what is stored of them, how often they may be used."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import Depends, FastAPI
from leaderboard_helpers import (
    OPERATOR_KEY,
    ORGANISER,
    REQUESTS_PER_MINUTE,
    WEB_KEY,
    add_challenge,
    create_app,
    create_internal_app,
    handle,
    make_context,
)

from leaderboard.api_keys.rules import parse_key
from leaderboard.api_keys.use_cases import authenticate
from leaderboard.dependencies import Actor, KeyHolder, Scope, ViewerDep, require_scope
from shared.database.engine import Database
from shared.errors import TooManyRequests
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, authorized, erased

NOON = datetime(2026, 5, 20, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def app(database: Database) -> FastAPI:
    """The application, with a route that shows whom it takes the caller for."""
    app = create_app(database)

    @app.get("/who")
    async def who(viewer: ViewerDep, actor: Annotated[Actor, Depends(require_scope(Scope.TEAMS))]) -> dict[str, Any]:
        return {"actor": actor.name, "user": actor.user_id, "is_organiser": viewer.is_organiser}

    @app.get("/fails")
    async def fails(actor: Annotated[Actor, Depends(require_scope(Scope.TEAMS))]) -> None:
        raise RuntimeError("as it happens")

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        yield client


@pytest.fixture
async def operator(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_internal_app(database), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=headers) as client:
        yield client


async def create(client: httpx.AsyncClient, *scopes: Scope, name: str = "Results page") -> str:
    answer = await client.post("/admin/api-keys", json={"name": name, "scopes": scopes}, headers=ORGANISER)
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["key"]
    return key


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def audited(database: Database) -> list[tuple[str, str, str]]:
    rows = await fetch_rows(database, "select actor, action, subject from audit_log order by id")
    return [(row.actor, row.action, row.subject) for row in rows]


async def test_a_key_opens_what_its_scopes_say_and_acts_under_its_name(client: httpx.AsyncClient) -> None:
    key = await create(client, Scope.TEAMS)
    answer = await client.get("/who", headers=bearer(key))
    assert answer.json() == {"actor": "key Results page", "user": None, "is_organiser": False}
    refused = await client.get("/admin/api-keys", headers=bearer(key))
    assert refused.status_code == 403
    assert refused.json() == {"code": "forbidden", "message": "This API key lacks the scope 'keys'."}


async def test_a_key_that_may_read_sees_what_organisers_do(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    await execute(database, "update challenges set visibility = 'hidden'")
    reads, does_not = await create(client, Scope.READ), await create(client, Scope.TEAMS, name="Teams")
    statuses = [
        (await client.get("/challenges/main", headers=headers)).status_code
        for headers in (bearer(reads), bearer(does_not), {}, ORGANISER)
    ]
    assert statuses == [200, 404, 404, 200]


async def test_with_a_key_nobody_can_pretend_to_be_a_user(client: httpx.AsyncClient) -> None:
    key = await create(client, Scope.TEAMS)
    answer = await client.get("/who", headers={**ORGANISER, **bearer(key)})
    assert answer.json() == {"actor": "key Results page", "user": None, "is_organiser": False}


async def test_web_alone_says_who_is_an_organiser(client: httpx.AsyncClient) -> None:
    everything = {"actor": f"user {ANNA}", "user": str(ANNA), "is_organiser": True}
    assert (await client.get("/who", headers=ORGANISER)).json() == everything
    for missing in ORGANISER:
        headers = {name: value for name, value in ORGANISER.items() if name != missing}
        assert (await client.get("/who", headers=headers)).status_code == 403


async def test_of_a_key_only_the_hash_is_stored(client: httpx.AsyncClient, database: Database) -> None:
    key = await create(client, Scope.READ)
    secret = key.split("_", 2)[2]
    [row] = await fetch_rows(database, "select * from api_keys")
    assert row.key_hash == hashlib.sha256(secret.encode()).digest()
    for table in ("api_keys", "audit_log", "outbox"):
        stored = await fetch_rows(database, f"select {table}::text as row from {table}")
        assert not any(secret in one.row for one in stored)


async def test_the_secret_is_shown_once(client: httpx.AsyncClient) -> None:
    created = await client.post(
        "/admin/api-keys", json={"name": " Results page ", "scopes": ["read", "sync"]}, headers=ORGANISER
    )
    assert created.headers["Cache-Control"] == "no-store"
    [listed] = (await client.get("/admin/api-keys", headers=ORGANISER)).json()["keys"]
    assert listed == created.json()["info"]
    assert listed.keys() == {"id", "name", "scopes", "created_by", "created_at", "revoked_at", "last_used_at"}
    assert (listed["name"], listed["scopes"]) == ("Results page", ["read", "sync"])
    assert created.json()["key"].startswith(f"gruppetto_{listed['id']}_")


async def test_no_secret_is_in_a_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        key = await create(client, Scope.TEAMS)
        wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
        statuses = [
            (await client.get(path, headers=bearer(shown))).status_code
            for path, shown in (("/who", key), ("/fails", key), ("/admin/api-keys", key), ("/who", wrong))
        ]
        await client.delete("/admin/api-keys/1", headers=ORGANISER)
        statuses.append((await client.get("/who", headers=bearer(key))).status_code)
    assert statuses == [200, 500, 403, 403, 403]
    logged = f"{lines} {caplog.text} {capsys.readouterr()}"
    assert "request failed" in logged
    assert key.split("_", 2)[2][:-1] not in logged


async def test_a_revoked_key_is_refused_with_the_next_request(client: httpx.AsyncClient, database: Database) -> None:
    key = await create(client, Scope.TEAMS)
    assert (await client.get("/who", headers=bearer(key))).status_code == 200
    revoked = await client.delete("/admin/api-keys/1", headers=ORGANISER)
    assert revoked.json()["revoked_at"] is not None
    refused = await client.get("/who", headers=bearer(key))
    assert refused.status_code == 403
    assert refused.json()["message"] == "This needs an API key that is valid; this one is not known, or was revoked."
    again = await client.delete("/admin/api-keys/1", headers=ORGANISER)
    assert again.json() == revoked.json()
    user = f"user {ANNA}"
    assert await audited(database) == [(user, "api_key.created", "1"), (user, "api_key.revoked", "1")]


async def test_the_last_use_is_noted_also_of_a_request_that_fails(
    client: httpx.AsyncClient, database: Database
) -> None:
    key = await create(client, Scope.TEAMS)
    assert (await client.get("/fails", headers=bearer(key))).status_code == 500
    [row] = await fetch_rows(database, "select * from api_keys")
    assert abs((datetime.now(UTC) - row.last_used_at).total_seconds()) < 60


async def test_a_key_is_counted_once_in_a_request(client: httpx.AsyncClient, database: Database) -> None:
    key = await create(client, Scope.TEAMS, Scope.READ)
    await client.get("/who", headers=bearer(key))
    assert [row.requests for row in await fetch_rows(database, "select requests from api_keys")] == [1]


async def test_of_requests_at_the_same_time_exactly_as_many_pass_as_a_key_may_make(
    client: httpx.AsyncClient, database: Database
) -> None:
    authorization = f"Bearer {await create(client, Scope.TEAMS)}"

    async def passes(now: datetime) -> bool:
        try:
            return await authenticate(database, 7, authorization, now) is not None
        except TooManyRequests:
            return False

    assert sum(await asyncio.gather(*(passes(NOON) for _ in range(30)))) == 7
    assert not await passes(NOON - timedelta(minutes=1))  # another replica's clock is behind
    assert not await passes(NOON + timedelta(seconds=29))
    assert sum(await asyncio.gather(*(passes(NOON + timedelta(seconds=30)) for _ in range(12)))) == 7


async def test_who_asks_too_often_is_told_so_and_others_are_not(database: Database) -> None:
    app = create_app(database)
    app.state.context = make_context(database, lambda: NOON)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board.test") as client:
        key, other = await create(client, Scope.KEYS), await create(client, Scope.KEYS, name="Another")
        await execute(
            database,
            "update api_keys set window_start = date_trunc('minute', cast(:now as timestamptz)), requests = :n",
            now=NOON,
            n=REQUESTS_PER_MINUTE - 1,
        )
        answers = [await client.get("/admin/api-keys", headers=bearer(key)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 429]
        assert answers[2].json()["code"] == "rate_limited"
        assert "120 requests a minute" in answers[2].json()["message"]
        assert (await client.get("/admin/api-keys", headers=bearer(other))).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer gruppetto_1_",
        b"Bearer gruppetto_0_" + b"a" * 43,
        b"Bearer gruppetto_1_" + b"a" * 43,
        b"Bearer gruppetto_999999999999999999_" + b"a" * 43,
        b"Bearer gruppetto_9999999999999999999999_" + b"a" * 43,
        b"Bearer gruppetto_\xb2_" + b"a" * 43,
        b"Bearer gruppetto_1_" + b"\xff" * 43,
        b"Bearer " + "gruppetto_1_żółć".encode(),
        b"Bearer gruppetto_1_" + b"a" * 12_000,
        b"Bearer " + b"\xf0\x9f\x9a\xb2" * 2_000,
        b"bearer " + WEB_KEY.encode(),
    ],
    ids=lambda value: f"{len(value)} bytes",
)
async def test_hostile_headers_are_refused(client: httpx.AsyncClient, authorization: bytes) -> None:
    await create(client, Scope.TEAMS)
    answer = await client.get("/who", headers=[(b"Authorization", authorization)])
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_nobody_who_lacks_the_scope_makes_or_sees_keys(client: httpx.AsyncClient) -> None:
    for headers in ({}, bearer(WEB_KEY), bearer(await create(client, *(set(Scope) - {Scope.KEYS})))):
        wanted = {"name": "More", "scopes": ["read"]}
        assert (await client.post("/admin/api-keys", json=wanted, headers=headers)).status_code == 403
        assert (await client.get("/admin/api-keys", headers=headers)).status_code == 403
        assert (await client.delete("/admin/api-keys/1", headers=headers)).status_code == 403


async def test_a_key_gives_only_scopes_that_it_has(client: httpx.AsyncClient) -> None:
    key = await create(client, Scope.KEYS, Scope.READ)
    wanted = {"name": "More", "scopes": ["read", "people"]}
    refused = await client.post("/admin/api-keys", json=wanted, headers=bearer(key))
    assert refused.status_code == 403
    assert refused.json()["message"] == "An API key gives only scopes that it has itself, which people is not."
    wanted["scopes"] = ["read"]
    made = await client.post("/admin/api-keys", json=wanted, headers=bearer(key))
    assert made.json()["info"]["created_by"] == "key Results page"


@pytest.mark.parametrize("name", ["results PAGE", "RESULTS page  "])
async def test_names_are_given_once_however_they_are_written(client: httpx.AsyncClient, name: str) -> None:
    await create(client, Scope.READ)
    await client.delete("/admin/api-keys/1", headers=ORGANISER)
    again = await client.post("/admin/api-keys", json={"name": name, "scopes": ["read"]}, headers=ORGANISER)
    assert again.status_code == 409
    assert again.json()["message"] == "There is or was an API key of that name. Please choose another one."


async def test_of_one_name_at_the_same_time_one_is_made(client: httpx.AsyncClient) -> None:
    wanted = {"name": "Straße", "scopes": ["read"]}
    also = {"name": "STRASSE", "scopes": ["read"]}
    answers = await asyncio.gather(
        *(client.post("/admin/api-keys", json=one, headers=ORGANISER) for one in (wanted, also, wanted))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"name": "x"}',
        b'{"name": "x", "scopes": []}',
        b'{"name": "x", "scopes": ["everything"]}',
        b'{"name": "", "scopes": ["read"]}',
        b'{"name": "  ", "scopes": ["read"]}',
        b'{"name": "a\\u0000b", "scopes": ["read"]}',
        b'{"name": "a\\ud800b", "scopes": ["read"]}',
        b'{"name": "a\\nb", "scopes": ["read"]}',
        b'{"name": "' + b"x" * 81 + b'", "scopes": ["read"]}',
        b'{"name": 7, "scopes": "read"}',
    ],
)
async def test_a_key_that_cannot_be_made_is_refused_with_a_sentence(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {**ORGANISER, "Content-Type": "application/json"}
    answer = await client.post("/admin/api-keys", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["message"]


@pytest.mark.parametrize(("key_id", "status"), [("7", 404), ("0", 422), ("x", 422), (str(2**63), 422)])
async def test_a_key_that_is_not_there_cannot_be_revoked(client: httpx.AsyncClient, key_id: str, status: int) -> None:
    answer = await client.delete(f"/admin/api-keys/{key_id}", headers=ORGANISER)
    assert answer.status_code == status
    assert answer.json()["message"]


async def test_operators_make_list_and_revoke_keys(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database
) -> None:
    made = (await operator.post("/api-keys", json={"name": "First", "scopes": ["teams", "keys"]})).json()
    assert (await client.get("/who", headers=bearer(made["key"]))).json()["actor"] == "key First"
    [listed] = (await operator.get("/api-keys")).json()["keys"]
    assert (listed["created_by"], listed["last_used_at"] is not None) == ("operator", True)
    assert (await operator.delete("/api-keys/1")).json()["revoked_at"] is not None
    assert (await client.get("/who", headers=bearer(made["key"]))).status_code == 403
    assert await audited(database) == [("operator", "api_key.created", "1"), ("operator", "api_key.revoked", "1")]


@pytest.mark.parametrize("key", ["", WEB_KEY, "gruppetto_1_" + "a" * 43])
async def test_only_operators_use_what_is_for_them(operator: httpx.AsyncClient, key: str) -> None:
    for method, path in (("GET", "/api-keys"), ("POST", "/api-keys"), ("DELETE", "/api-keys/1")):
        answer = await operator.request(method, path, headers={"Authorization": f"Bearer {key}" if key else ""})
        assert answer.status_code == 403


async def test_operators_use_their_port_alone(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api-keys", headers=bearer(OPERATOR_KEY))).status_code == 404
    assert (await client.get("/admin/api-keys", headers=bearer(OPERATOR_KEY))).status_code == 403


async def test_who_made_a_key_is_forgotten_with_their_erasure_and_the_key_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, authorized())
    key = await create(client, Scope.TEAMS)
    await handle(database, erased())
    [row] = await fetch_rows(database, "select * from api_keys")
    assert row.created_by == "an erased user"
    assert (await client.get("/who", headers=bearer(key))).status_code == 200


async def test_a_scope_that_this_release_does_not_know_opens_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    authorization = f"Bearer {await create(client, Scope.TEAMS)}"
    await execute(database, "update api_keys set scopes = '{teams,everything}'")
    assert await authenticate(database, 9, authorization, NOON) == KeyHolder("Results page", frozenset({Scope.TEAMS}))


def test_a_presented_key_does_not_show_its_hash() -> None:
    presented = parse_key("Bearer gruppetto_12_" + "a" * 43)
    assert presented is not None
    assert repr(presented) == "PresentedKey(id=12)"
    assert UUID(bytes=presented.hash[:16])
