"""Injected faults over a real connection."""

import time
from contextlib import asynccontextmanager

import httpx
import pytest
from live_server import serve_app

from stravasim.control.client import ControlClient, ControlError
from stravasim.fault_injection import FaultKind, FaultRule, FaultRules

PATH = "/api/v3/athlete/activities"


@asynccontextmanager
async def served(harness):
    """The simulator on a port: its control client, and a client with the token of athlete 7."""
    token = (await harness.tokens())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        serve_app(harness.app) as address,
        ControlClient(address) as control,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=5) as client,
    ):
        yield control, client


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("500", 500, "application/json; charset=utf-8"),
        ("503", 503, "text/html"),
        ("597", 597, "text/html"),
        ("401", 401, "application/json; charset=utf-8"),
    ],
)
async def test_a_status_is_injected_into_as_many_requests_as_given(harness, kind, status, content_type):
    async with served(harness) as (control, client):
        await control.inject_fault(kind, count=2)
        answers = [await client.get(PATH) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert answers[0].headers["content-type"] == content_type
        assert "x-ratelimit-usage" not in answers[0].headers


async def test_only_matching_requests_fail_and_control_requests_never_do(harness):
    async with served(harness) as (control, client):
        fault_id = await control.inject_fault("500", path="/athlete/activities", athlete_id=7)
        await control.inject_fault("503", athlete_id=8)
        assert (await client.get(PATH)).status_code == 500
        assert (await client.get("/athlete/activities")).status_code == 500
        assert (await client.get("/api/v3/athlete")).status_code == 200
        assert (await control.get_request_counts())["rate_limited"] == 0
        await control.clear_faults(fault_id)
        assert (await client.get(PATH)).status_code == 200
        await control.inject_fault("597")
        await control.clear_faults()
        assert (await client.get(PATH)).status_code == 200


async def test_faulted_requests_are_counted_too(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("500", count=1)
        await control.inject_fault("disconnect", count=1)
        assert (await client.get(PATH)).status_code == 500
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)
        assert (await client.get(PATH)).headers["x-ratelimit-usage"] == "3,3"
        assert (await control.get_request_counts())["paths"][PATH] == 3


async def test_pages_about_the_simulator_use_up_no_fault(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("500", count=1)
        for path in ("/", "/openapi.json", "/_sim/requests/counts"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get(PATH)).status_code == 500


async def test_a_faulted_upload_is_not_counted_as_a_read(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("503", count=1)
        assert (await client.post("/api/v3/activities", data={})).status_code == 503
        calls = await control.get_request_counts()
        assert (calls["overall_quarter"], calls["read_quarter"]) == (1, 0)


async def test_a_disconnect_ends_in_the_middle_of_the_body(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("disconnect", count=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)
        assert (await client.get(PATH)).status_code == 200


async def test_a_timeout_ends_without_a_response(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("timeout", count=1, seconds=30)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(PATH, timeout=0.2)
        await control.inject_fault("timeout", count=1, seconds=0)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)


async def test_a_slow_body_is_complete_in_the_end(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("slow", count=1, seconds=0.3)
        began = time.monotonic()
        answer = await client.get(PATH)
        assert time.monotonic() - began > 0.2, "it came in pieces"
        assert [one["id"] for one in answer.json()] == [5, 4, 3, 2, 1]


async def test_invalid_json_is_a_complete_response_that_cannot_be_parsed(harness):
    async with served(harness) as (control, client):
        await control.inject_fault("invalid_json", count=1)
        answer = await client.get(PATH)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


async def test_an_invalid_rule_is_refused(harness):
    async with served(harness) as (control, _):
        with pytest.raises(ControlError, match="422"):
            await control.inject_fault("earthquake")
        with pytest.raises(ControlError, match="422"):
            await control.inject_fault("500", probability=2)


def test_the_same_seed_makes_the_same_requests_fail():
    def failures(seed):
        rules = FaultRules(seed)
        rules.add(FaultRule(FaultKind.ERROR_500, probability=0.3))
        return [rules.match(7, "/athlete") is not None for _ in range(200)]

    assert failures(1) == failures(1)
    assert failures(1) != failures(2)
    assert 30 < sum(failures(1)) < 90
