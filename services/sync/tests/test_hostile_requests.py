"""Whatever a stranger or a caller sends, neither application of sync-api has an unhandled error."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from live_server import serve_app
from sync_helpers import ATHLETE, SyncUnderTest

from shared.http.api import create_api
from sync.clients.subscriptions import SubscriptionClient, Webhooks
from sync.dependencies import ApiContext
from sync.main import configure_api
from testkit.openapi_conformance import assert_answers_conform
from testkit.request_fuzzing import FuzzedRequest, fuzz_settings, request_strategy, send_request

SECRET, KEY = "an-unguessable-segment", "the-operators-key-01"
PATH = f"/strava/webhook/{SECRET}".encode()


@pytest.fixture
async def applications(service: SyncUnderTest) -> tuple[FastAPI, FastAPI]:
    """The one that faces the internet, and the one that does not."""
    await service.authorize()
    await service.run_all()
    client = SubscriptionClient(
        service.context.strava._client, "http://strava.test/api/v3", 12345, "simulated-secret"
    )
    webhooks = Webhooks("http://sync.test", SECRET, client)
    public, internal = create_api("sync-api"), create_api("internal", openapi=True)
    configure_api(ApiContext(service.database, webhooks, KEY, service.now), public, internal)
    return public, internal


@fuzz_settings
@given(data=st.data())
async def test_no_request_to_the_public_side_causes_an_unhandled_error(
    applications: tuple[FastAPI, FastAPI], statuses: Counter[int], data: st.DataObject
) -> None:
    public, _ = applications
    drawn: FuzzedRequest = data.draw(request_strategy(public))
    told = b'{"object_type":"activity","object_id":%d,"aspect_type":"create","owner_id":%d,' % (
        data.draw(st.integers(1, 2**63 - 1)),
        ATHLETE,
    )
    body = told + b'"subscription_id":1,"event_time":1777000000,"updates":{}}'
    json_header = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    event = replace(drawn, method="POST", path=PATH, headers=json_header, body=body)
    for request in (drawn, replace(drawn, path=PATH), event):
        answer = await send_request(public, request)
        statuses[answer.status] += 1
        assert answer.status < 500


async def test_every_answer_to_operators_conforms_to_the_openapi_document(
    applications: tuple[FastAPI, FastAPI], tmp_path: Path
) -> None:
    _, internal = applications
    async with serve_app(internal) as address:
        await assert_answers_conform(f"{address}/openapi.json", KEY, tmp_path)
