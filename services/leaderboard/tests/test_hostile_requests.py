"""Whatever a caller sends, the read API answers without an unhandled error."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from board_rig import app
from hypothesis import given
from hypothesis import strategies as st

from devstack.request_fuzz import FuzzedRequest, answer_to, fuzz, fuzzed_requests
from shared.database.engine import Database


@pytest.fixture
def statuses(record_property: Callable[[str, object], None]) -> Iterator[Counter[int]]:
    counted: Counter[int] = Counter()
    yield counted
    record_property("said", f"leaderboard: {counted.total()} hostile requests, {dict(sorted(counted.items()))}")


@fuzz
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    database: Database, statuses: Counter[int], data: st.DataObject
) -> None:
    application = app(database)
    request: FuzzedRequest = data.draw(fuzzed_requests(application))
    answer = await answer_to(application, request)
    statuses[answer.status] += 1
    assert answer.status < 500
