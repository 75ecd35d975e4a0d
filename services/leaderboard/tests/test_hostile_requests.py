"""Whatever a caller sends, the read API answers without an unhandled error."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_helpers import add_challenge, create_app

from shared.database.engine import Database
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request


@pytest.fixture
async def application(database: Database) -> FastAPI:
    await add_challenge(database)
    return create_app(database)


@pytest.fixture
def requests(application: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    return request_strategy(application)


@pytest.fixture
def board_statuses(statuses: Counter[int]) -> Iterator[Counter[int]]:
    """Fails at the end unless many of the requests got as far as a board."""
    yield statuses
    assert statuses[200] > statuses.total() / 10


@fuzz_settings
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    application: FastAPI,
    requests: st.SearchStrategy[FuzzedRequest],
    board_statuses: Counter[int],
    data: st.DataObject,
) -> None:
    drawn = data.draw(requests)
    for request in (drawn, replace(drawn, method="GET", path=b"/challenges/main/boards/running")):
        answer = await send_request(application, request)
        board_statuses[answer.status] += 1
        assert answer.status < 500
