"""What operators are told about the record, and what they may do; on the port that no stranger reaches."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from ingest_helpers import ZONE, handle, recorded_distances, unusable

from ingest.dependencies import ApiContext
from ingest.main import QUEUE, configure_api, make_handlers
from ingest.recording.handlers import lock_people
from shared.contracts.events import Event
from shared.contracts.ingest_api import ActivityHistory, PurgeReport, RecordCounts, RejectedPage, ReplayedRejections
from shared.database.engine import Database
from shared.http.api import create_api
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor
from testkit.databases import execute
from testkit.events import ANNA, JAN, fetched, privacy_changed, retention_advanced, vanished
from testkit.handling import emitted
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request

KEY = "the-operators-key-01"


@pytest.fixture
def application(database: Database) -> FastAPI:
    app = create_api("internal")
    configure_api(ApiContext(database, ZONE, KEY), app)
    return app


@pytest.fixture
async def operator(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/counts"),
        ("GET", "/rejected"),
        ("POST", "/rejected/replay"),
        ("GET", "/purge"),
        ("POST", "/purge"),
        ("GET", "/activities/1"),
    ],
)
async def test_only_operators_are_told(
    operator: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    await handle(database, fetched(1))
    assert (await operator.request(method, path)).status_code == 200
    for header in ({"Authorization": "Bearer guess"}, {"Authorization": ""}):
        assert (await operator.request(method, path, headers=header)).status_code == 403


async def test_counts_tell_what_is_on_record_and_why_the_rest_is_not(
    operator: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, fetched(1, elapsed_time=3600, flagged=True), fetched(2, elapsed_time=3600))
    await handle(database, unusable(3), unusable(4), fetched(5, start_date=None), fetched(6, visibility="only_me"))
    await handle(database, fetched(7, user_id=JAN, distance=90_000.0, moving_time=60), vanished(8))
    await handle(database, retention_advanced(datetime(2026, 4, 1, tzinfo=UTC)))
    shown = RecordCounts.model_validate_json((await operator.get("/counts")).content)
    assert (shown.people, shown.recorded, shown.rejected, shown.private, shown.removed) == (2, 3, 3, 1, 1)
    assert (shown.flagged, shown.suspicious, shown.overlapping) == (1, 1, 2)
    assert shown.rejections == {"distance is out of range": 2, "neither start_date nor start_date_local": 1}
    assert (shown.kept_from, shown.purged_before) == (datetime(2026, 4, 1, tzinfo=UTC), None)


async def test_a_history_tells_which_message_set_which_version(
    operator: httpx.AsyncClient, database: Database
) -> None:
    events: list[Event] = [
        fetched(1, 1, elapsed_time=3600),
        fetched(1, 2, elapsed_time=3600),  # nothing new
        fetched(2, 2, elapsed_time=3600),
        fetched(1, 3, elapsed_time=3600, distance=5.0),
        vanished(1, 4),
        fetched(1, 5),
        unusable(1, 6),
    ]
    deliveries = [Delivery(uuid4(), event) for event in events]
    processor = InboxProcessor(QUEUE, database, make_handlers(ZONE), lock_people)
    for delivery in deliveries:
        assert await processor.process([delivery]) == [None]
    shown = ActivityHistory.model_validate_json((await operator.get("/activities/1")).content)
    messages = [delivery.message_id for delivery in deliveries]
    assert [(one.event, one.reason, one.changed, one.message_id) for one in shown.versions] == [
        ("removed", "unreadable", (), messages[6]),
        ("recorded", "restored", (), messages[5]),
        ("removed", "deleted", (), messages[4]),
        ("revised", "fetched", ("distance_m",), messages[3]),
        ("revised", "fetched", ("overlaps_with",), messages[2]),
        ("recorded", "fetched", (), messages[0]),
    ]
    told = [event["version"] for _, event in await emitted(database) if event["strava_id"] == 1]
    assert [one.version for one in reversed(shown.versions)] == told
    assert (shown.state, shown.fetch_seq, shown.user_id, shown.facts) == ("rejected", 6, ANNA, None)
    assert shown.rejection == "distance is out of range"


async def test_a_history_shows_the_facts_as_events_name_them(operator: httpx.AsyncClient, database: Database) -> None:
    await handle(database, fetched(1))
    shown = (await operator.get("/activities/1")).json()
    [(_, event)] = await emitted(database)
    assert shown["facts"].keys() == event.keys() - {"user_id", "strava_id", "version", "reason", "changed"}
    assert shown["facts"]["start_at"] == event["start_at"]


async def test_an_activity_that_was_never_fetched_is_not_found(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/activities/77")
    assert answer.status_code == 404
    assert answer.json()["message"] == "No activity of that id was ever fetched, or it is not kept any more."


async def test_rejected_ones_are_listed_page_by_page_with_what_strava_said(
    operator: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, *(unusable(number) for number in (5, 6, 7)))
    first = RejectedPage.model_validate_json((await operator.get("/rejected?limit=2")).content)
    rest = RejectedPage.model_validate_json(
        (await operator.get(f"/rejected?limit=2&after={first.next_after}")).content
    )
    assert [one.strava_id for one in (*first.rejected, *rest.rejected)] == [5, 6, 7]
    assert rest.next_after is None
    [seven] = rest.rejected
    assert seven.reason == "distance is out of range"
    assert seven.fields is not None
    assert (seven.fields["distance"], seven.fields["sport_type"]) == (-1.0, "Run")


async def test_what_a_new_release_can_read_is_recorded_by_a_replay(
    operator: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, unusable(1), unusable(2), unusable(3), fetched(9, start_date=None, elapsed_time=60))
    assert (await operator.post("/rejected/replay")).json() == {"tried": 4, "accepted": 0}
    # As if the release that is running now took the amount of a negative distance.
    await execute(database, "update rejected set fields = fields || '{\"distance\": 1.0}' where strava_id <> 3")
    done = ReplayedRejections.model_validate_json((await operator.post("/rejected/replay")).content)
    assert (done.tried, done.accepted) == (4, 2)
    assert await recorded_distances(database) == {1: 1.0, 2: 1.0}
    assert [(topic, event["reason"]) for topic, event in await emitted(database)] == [
        ("activity.recorded", "fetched")
    ] * 2
    await handle(database, fetched(1, 2, distance=2.0), unusable(2, 2))
    assert await recorded_distances(database) == {1: 2.0}


async def test_a_replay_records_nothing_that_its_owner_does_not_want_recorded(
    operator: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, fetched(1, distance=-1.0, visibility="only_me"))
    await execute(database, "update rejected set fields = fields || '{\"distance\": 1.0}'")
    assert (await operator.post("/rejected/replay")).json() == {"tried": 1, "accepted": 1}
    assert await recorded_distances(database) == {}
    await handle(database, privacy_changed(private_activities=True), fetched(1, 2, visibility="only_me"))
    assert await recorded_distances(database) == {1: 1000.0}


async def test_a_dry_run_counts_what_a_purge_deletes(operator: httpx.AsyncClient, database: Database) -> None:
    nothing = PurgeReport(before=None, recorded=0, rejected=0, private=0, removed=0)
    assert PurgeReport.model_validate_json((await operator.get("/purge")).content) == nothing
    assert PurgeReport.model_validate_json((await operator.post("/purge")).content) == nothing
    before = datetime(2026, 5, 10, tzinfo=UTC)
    await handle(database, fetched(1), fetched(2), fetched(3, start_date="2026-05-11T06:00:00Z"))
    await handle(database, retention_advanced(before))
    wanted = PurgeReport(before=before, recorded=2, rejected=0, private=0, removed=0)
    for _ in range(2):
        assert PurgeReport.model_validate_json((await operator.get("/purge")).content) == wanted
    assert PurgeReport.model_validate_json((await operator.post("/purge")).content) == wanted
    again = PurgeReport.model_validate_json((await operator.post("/purge")).content)
    assert again == wanted.model_copy(update={"recorded": 0})


@pytest.fixture
def requests(application: FastAPI) -> st.SearchStrategy[FuzzedRequest]:
    return request_strategy(application)


@fuzz_settings
@given(data=st.data())
async def test_no_request_causes_an_unhandled_error(
    application: FastAPI, requests: st.SearchStrategy[FuzzedRequest], statuses: Counter[int], data: st.DataObject
) -> None:
    answer = await send_request(application, data.draw(requests))
    statuses[answer.status] += 1
    assert answer.status < 500
