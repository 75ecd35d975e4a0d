"""Whatever a caller sends, the read API answers without an unhandled error."""

from collections import Counter

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_helpers import create_app

from devstack.request_fuzz import FuzzedRequest, fuzz_settings, request_strategy, send_request
from shared.database.engine import Database


@pytest.fixture
def application(database: Database) -> FastAPI:
    return create_app(database)


@pytest.fixture
def requests(application: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    return request_strategy(application)


@fuzz_settings
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    application: FastAPI,
    requests: st.SearchStrategy[FuzzedRequest],
    statuses: Counter[int],
    data: st.DataObject,
) -> None:
    answer = await send_request(application, data.draw(requests))
    statuses[answer.status] += 1
    assert answer.status < 500
