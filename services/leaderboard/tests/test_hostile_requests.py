"""Whatever a caller sends, the API answers without an unhandled error."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_helpers import ORGANISER, SYNC_STATUS, WEB_KEY, add_challenge, create_app, handle
from live_server import serve_app

from leaderboard.sync_client import SyncClient
from shared.database.engine import Database
from testkit.events import ANNA, JAN, authorized, recorded, sync_finished
from testkit.openapi_conformance import WITHOUT_FUZZING, assert_answers_conform
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


ADMIN = [(name.lower().encode(), value.encode()) for name, value in ORGANISER.items()]


@fuzz_settings
@given(data=st.data())
async def test_no_request_of_an_organiser_causes_an_unhandled_error(
    application: FastAPI, statuses: Counter[int], data: st.DataObject
) -> None:
    drawn: FuzzedRequest = data.draw(request_strategy(application, ADMIN))
    path = b"/admin/" + data.draw(
        st.sampled_from([b"participants", b"audit-log", b"audit-log.csv", b"audit-log.json"])
    )
    for request in (drawn, replace(drawn, method="GET", path=path, headers=tuple(ADMIN), body=b"")):
        answer = await send_request(application, request)
        statuses[answer.status] += 1
        assert answer.status < 500 or drawn.path == b"/admin/sync-budget"


async def test_every_answer_to_an_organiser_conforms_to_the_openapi_document(
    database: Database, tmp_path: Path
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1), sync_finished(error="Unavailable"))
    sync = SyncClient("http://sync.test", "the-operators-key-01", httpx.MockTransport(_say_status))
    async with serve_app(create_app(database, sync)) as address:
        options = ("-H", f"Gruppetto-User: {ANNA}", "-H", "Gruppetto-Organiser: true", *WITHOUT_FUZZING)
        await assert_answers_conform(f"{address}/openapi.json", WEB_KEY, tmp_path, *options)
    await sync.close()


def _say_status(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=SYNC_STATUS.model_dump_json())
