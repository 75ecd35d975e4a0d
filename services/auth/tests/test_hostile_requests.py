"""Whatever a caller sends, with a key or without, auth answers without an unhandled error."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from auth_helpers import SYNC_KEY, WEB_KEY, create_app, make_client
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared.database.engine import Database
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request

USUAL = [(b"content-type", b"application/json"), (b"host", b"auth.test")]
KEYS = [(b"authorization", f"Bearer {key}".encode()) for key in (WEB_KEY, SYNC_KEY)]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TEXT = st.text(alphabet=st.characters() | st.sampled_from("\x00\ud800"), min_size=1, max_size=20)
SIGN_INS = st.fixed_dictionaries({}, optional=dict.fromkeys(("code", "scope", "consent_version", "more"), JSON)) | (
    st.fixed_dictionaries({"code": TEXT, "scope": TEXT.map("activity:read,".__add__), "consent_version": TEXT})
)


@pytest.fixture
async def application(database: Database) -> AsyncIterator[FastAPI]:
    """auth with a Strava that takes every code."""
    tokens = {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000, "athlete": {"id": 7}}
    strava = httpx.MockTransport(lambda _: httpx.Response(200, json=tokens))
    async with httpx.AsyncClient(transport=strava) as client:
        yield create_app(database, client)


@pytest.fixture
def requests(application: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    """With the key of either caller."""
    return st.one_of([request_strategy(application, [*USUAL, key]) for key in KEYS])


@pytest.fixture
async def user(application: FastAPI) -> UUID:
    """Somebody who has signed in."""
    body = {"code": "c", "scope": "activity:read", "consent_version": "1"}
    async with make_client(application, WEB_KEY) as web:
        return UUID((await web.post("/sign-ins", json=body)).json()["user_id"])


@pytest.fixture
def token_statuses(statuses: Counter[int]) -> Iterator[Counter[int]]:
    """Fails at the end unless many of the requests got a token."""
    yield statuses
    assert statuses[200] > statuses.total() / 50


@fuzz_settings
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    application: FastAPI,
    user: UUID,
    requests: st.SearchStrategy[FuzzedRequest],
    token_statuses: Counter[int],
    data: st.DataObject,
) -> None:
    drawn = data.draw(requests)
    for request in (drawn, replace(drawn, method="GET", path=f"/users/{user}/access-token".encode(), query=b"")):
        answer = await send_request(application, request)
        token_statuses[answer.status] += 1
        assert answer.status < 500


@fuzz_settings
@given(body=SIGN_INS, user=st.uuids() | st.just(UUID(int=0)))
async def test_no_sign_in_of_a_caller_with_a_key_causes_an_unhandled_error(
    application: FastAPI, statuses: Counter[int], body: dict[str, Any], user: UUID
) -> None:
    sign_in = json.dumps(body).encode()
    length = (b"content-length", str(len(sign_in)).encode())
    for request in (
        FuzzedRequest("POST", b"/sign-ins", b"", (*USUAL, KEYS[0], length), sign_in),
        FuzzedRequest("GET", f"/users/{user}/access-token".encode(), b"fresh=yes", (*USUAL, KEYS[1]), b""),
    ):
        answer = await send_request(application, request)
        statuses[answer.status] += 1
        assert answer.status < 500
