"""Faults on demand, seen over a real connection."""

import time
from contextlib import asynccontextmanager

import httpx
import pytest
from live import serving

from stravasim.client import Control, ControlError
from stravasim.mishaps import Kind, Mishap, Mishaps

PATH = "/api/v3/athlete/activities"


@asynccontextmanager
async def live(world):
    """The simulator on a port: its control side, and a reader of athlete 7."""
    token = (await world.tokens())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        serving(world.app) as address,
        Control(address) as control,
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
async def test_a_status_befalls_as_many_calls_as_ordered(world, kind, status, content_type):
    async with live(world) as (control, client):
        await control.break_calls(kind, count=2)
        answers = [await client.get(PATH) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert answers[0].headers["content-type"] == content_type
        assert "x-ratelimit-usage" not in answers[0].headers


async def test_only_the_calls_meant_go_wrong_and_the_control_side_never_does(world):
    async with live(world) as (control, client):
        order = await control.break_calls("500", path="/athlete/activities", athlete_id=7)
        await control.break_calls("503", athlete_id=8)
        assert (await client.get(PATH)).status_code == 500
        assert (await client.get("/athlete/activities")).status_code == 500
        assert (await client.get("/api/v3/athlete")).status_code == 200
        assert (await control.calls())["refused"] == 0
        await control.mend(order)
        assert (await client.get(PATH)).status_code == 200
        await control.break_calls("597")
        await control.mend()
        assert (await client.get(PATH)).status_code == 200


async def test_calls_that_go_wrong_are_counted_too(world):
    async with live(world) as (control, client):
        await control.break_calls("500", count=1)
        await control.break_calls("cut", count=1)
        assert (await client.get(PATH)).status_code == 500
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)
        assert (await client.get(PATH)).headers["x-ratelimit-usage"] == "3,3"
        assert (await control.calls())["paths"][PATH] == 3


async def test_a_page_that_looks_at_the_simulator_uses_up_no_mishap(world):
    async with live(world) as (control, client):
        await control.break_calls("500", count=1)
        for path in ("/", "/openapi.json", "/_sim/calls"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get(PATH)).status_code == 500


async def test_a_broken_upload_is_counted_as_no_read(world):
    async with live(world) as (control, client):
        await control.break_calls("503", count=1)
        assert (await client.post("/api/v3/activities", data={})).status_code == 503
        calls = await control.calls()
        assert (calls["overall_quarter_hour"], calls["quarter_hour"]) == (1, 0)


async def test_a_cut_connection_ends_in_the_middle_of_the_body(world):
    async with live(world) as (control, client):
        await control.break_calls("cut", count=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)
        assert (await client.get(PATH)).status_code == 200


async def test_a_timeout_ends_without_an_answer(world):
    async with live(world) as (control, client):
        await control.break_calls("timeout", count=1, seconds=30)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(PATH, timeout=0.2)
        await control.break_calls("timeout", count=1, seconds=0)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(PATH)


async def test_a_slow_body_is_right_in_the_end(world):
    async with live(world) as (control, client):
        await control.break_calls("slow", count=1, seconds=0.3)
        began = time.monotonic()
        answer = await client.get(PATH)
        assert time.monotonic() - began > 0.2, "it came in pieces"
        assert [one["id"] for one in answer.json()] == [5, 4, 3, 2, 1]


async def test_invalid_json_is_a_complete_answer_that_cannot_be_read(world):
    async with live(world) as (control, client):
        await control.break_calls("invalid_json", count=1)
        answer = await client.get(PATH)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


async def test_an_order_that_makes_no_sense_is_refused(world):
    async with live(world) as (control, _):
        with pytest.raises(ControlError, match="422"):
            await control.break_calls("earthquake")
        with pytest.raises(ControlError, match="422"):
            await control.break_calls("500", probability=2)


def test_the_same_seed_makes_the_same_calls_go_wrong():
    def fates(seed):
        mishaps = Mishaps(seed)
        mishaps.order(Mishap(Kind.ERROR_500, probability=0.3))
        return [mishaps.draw(7, "/athlete") is not None for _ in range(200)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert 30 < sum(fates(1)) < 90
