"""Whatever a caller sends, with a key or without, auth answers without an unhandled error."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from auth_helpers import BROWSER, OPERATOR_KEY, SYNC_KEY, WEB_KEY, create_app, make_client, make_context
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from shared.database.engine import Database
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request

USUAL = [(b"content-type", b"application/json"), (b"host", b"auth.test")]
KEYS = [(b"authorization", f"Bearer {key}".encode()) for key in (WEB_KEY, SYNC_KEY, OPERATOR_KEY)]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TEXT = st.text(alphabet=st.characters() | st.sampled_from("\x00\ud800"), max_size=20)
#: Beside the right browser and state.
ANSWERS = st.fixed_dictionaries({}, optional=dict.fromkeys(("code", "scope", "error", "more"), JSON)) | (
    st.fixed_dictionaries({"code": TEXT, "scope": TEXT.map("activity:read,".__add__)})
)


class NoLimits(FixedWindowRateLimiter):
    """Counts nothing: the requests of a test are more than a browser's."""

    def hit(self, *_arguments: Any, **_options: Any) -> bool:
        return True


@pytest.fixture
async def application(database: Database) -> AsyncIterator[FastAPI]:
    """auth with a Strava that takes every code."""
    tokens = {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000, "athlete": {"id": 7}}
    strava = httpx.MockTransport(lambda _: httpx.Response(200, json=tokens))
    async with httpx.AsyncClient(transport=strava) as client:
        yield create_app(replace(make_context(database, client), limiter=NoLimits(MemoryStorage())))


@pytest.fixture
def requests(application: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    """With the key of any caller."""
    return st.one_of([request_strategy(application, [*USUAL, key]) for key in KEYS])


@pytest.fixture
async def web(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(application, WEB_KEY) as client:
        yield client


async def begin(web: httpx.AsyncClient) -> str:
    """The state of an authorization."""
    url = (await web.post("/authorizations", json={"browser": BROWSER, "consent_version": "1"})).json()["url"]
    return str(httpx.URL(url).params["state"])


@pytest.fixture
async def user(web: httpx.AsyncClient) -> UUID:
    """Somebody who has signed in."""
    body = {"browser": BROWSER, "state": await begin(web), "code": "c", "scope": "activity:read"}
    return UUID((await web.post("/sign-ins", json=body)).json()["user_id"])


@pytest.fixture
def token_statuses(statuses: Counter[int]) -> Iterator[Counter[int]]:
    """Fails at the end unless many of the requests got a token."""
    yield statuses
    assert statuses[200] > statuses.total() / 200


def post(path: str, body: object) -> FuzzedRequest:
    """A request of web's with that JSON."""
    content = json.dumps(body).encode()
    length = (b"content-length", str(len(content)).encode())
    return FuzzedRequest("POST", path.encode(), b"", (*USUAL, KEYS[0], length), content)


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
    token = replace(drawn, method="GET", path=f"/users/{user}/access-token".encode(), query=b"")
    for request in (drawn, token, replace(token, query=drawn.query, headers=(*USUAL, KEYS[1]), body=b"")):
        answer = await send_request(application, request)
        token_statuses[answer.status] += 1
        assert answer.status < 500


@fuzz_settings
@given(answer=ANSWERS, user=st.uuids() | st.just(UUID(int=0)))
async def test_nothing_that_a_browser_brings_back_causes_an_unhandled_error(
    application: FastAPI, web: httpx.AsyncClient, statuses: Counter[int], answer: dict[str, Any], user: UUID
) -> None:
    state = await begin(web)
    for request in (
        post("/sign-ins", {"browser": BROWSER, "state": state, **answer}),
        FuzzedRequest("GET", f"/users/{user}/access-token".encode(), b"fresh=yes", (*USUAL, KEYS[1]), b""),
    ):
        response = await send_request(application, request)
        statuses[response.status] += 1
        assert response.status < 500


@fuzz_settings
@given(odd=TEXT | JSON)
async def test_no_name_and_no_beginning_causes_an_unhandled_error(
    application: FastAPI, user: UUID, statuses: Counter[int], odd: Any
) -> None:
    for request in (
        replace(post(f"/users/{user}", {"display_name": odd}), method="PATCH"),
        post("/authorizations", {"browser": odd, "consent_version": "1"}),
        post("/authorizations", {"browser": BROWSER, "consent_version": odd}),
    ):
        response = await send_request(application, request)
        statuses[response.status] += 1
        assert response.status < 500
