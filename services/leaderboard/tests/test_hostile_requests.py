"""Whatever a caller sends, the read API answers without an unhandled error."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from board_rig import app
from hypothesis import given
from hypothesis import strategies as st

from devstack.request_fuzz import FuzzedRequest, fuzz_settings, request_strategy, send_request
from shared.db import Sessions


@pytest.fixture
def statuses(record_property: Callable[[str, object], None]) -> Iterator[Counter[int]]:
    counted: Counter[int] = Counter()
    yield counted
    record_property("said", f"leaderboard: {counted.total()} hostile requests, {dict(sorted(counted.items()))}")


@fuzz_settings
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    sessions: Sessions, statuses: Counter[int], data: st.DataObject
) -> None:
    application = app(sessions)
    request: FuzzedRequest = data.draw(request_strategy(application))
    answer = await send_request(application, request)
    statuses[answer.status] += 1
    assert answer.status < 500
