"""Whatever an organiser's browser sends, the panel answers without trouble."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_helpers import add_challenge
from structlog.testing import capture_logs
from web_club import RealLeaderboard
from web_fakes import FakeAuth
from web_harness import build
from web_sign_in import sign_in

from leaderboard.tables import Base as LeaderboardBase
from shared.database.engine import Database
from testkit.databases import empty_tables
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request
from web.http.cookies import Cookies


@dataclass(frozen=True)
class Organiser:
    """The site, and the cookie of an organiser who is signed in."""

    app: FastAPI
    cookie: bytes


@pytest.fixture(scope="module")
async def organiser(web_database: Database, leaderboard_database: Database) -> AsyncIterator[Organiser]:
    await empty_tables(leaderboard_database, LeaderboardBase.metadata)
    today = datetime.now(UTC).date()
    await add_challenge(leaderboard_database, (today - timedelta(days=3), today + timedelta(days=3)), "Spring")
    app = build(web_database, RealLeaderboard(leaderboard_database), FakeAuth(is_admin=True))
    async with app.router.lifespan_context(app):
        headers = {"Sec-Fetch-Site": "same-origin"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(base_url="https://club.example", transport=transport, headers=headers) as client:
            await sign_in(client)
            name = Cookies(secure=True).session
            yield Organiser(app, f"{name}={client.cookies[name]}".encode())


@pytest.fixture(scope="module")
def requests(organiser: Organiser) -> st.SearchStrategy[FuzzedRequest]:
    usual = [
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"host", b"club.example"),
        (b"cookie", organiser.cookie),
    ]
    return request_strategy(organiser.app, usual)


@fuzz_settings
@given(data=st.data())
async def test_no_request_of_an_organiser_causes_an_unhandled_error(
    organiser: Organiser,
    requests: st.SearchStrategy[FuzzedRequest],
    statuses: Counter[int],
    data: st.DataObject,
) -> None:
    with capture_logs() as logged:
        answer = await send_request(organiser.app, data.draw(requests))
    statuses[answer.status] += 1
    assert answer.status < 500 or answer.status == 503  # sync is not there
    assert [line for line in logged if line["log_level"] in {"error", "critical"}] == []
