"""The clock, the limits and the other switches, turned while it runs; and both ways to end a connection."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from stravasim.client import ControlError
from stravasim.clock import SimulatedClock, SystemClock

BASIC = ("12345", "simulated-secret")


async def test_the_clock_is_set_advanced_frozen_and_released(control, world):
    morning = datetime(2026, 7, 2, 8, 14, 59, tzinfo=UTC)
    assert await control.set_clock(now=morning, frozen=True) == morning
    world.clock.turn(100)
    assert await control.set_clock() == morning
    assert await control.set_clock(advance_s=1, frozen=False) == morning + timedelta(seconds=1)
    world.clock.turn(100)
    assert await control.set_clock() == morning + timedelta(seconds=101)


async def test_the_windows_turn_with_the_clock(control, world):
    await control.configure(limits={"read_quarter": 1})
    reader = await world.reader()
    assert [(await reader.get()).status_code for _ in range(2)] == [200, 429]
    await control.set_clock(advance_s=900)
    assert (await reader.get()).status_code == 200
    assert (await control.configure())["limits"]["read_quarter"] == 1
    await control.configure(limits={"read_quarter": 50, "overall_day": 60})
    answer = await reader.get()
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-readratelimit-limit"]) == ("200,60", "50,1000")


async def test_a_token_expires_with_the_clock(control, world):
    reader = await world.reader()
    await control.set_clock(advance_s=21_599)
    assert (await reader.get()).status_code == 200
    await control.set_clock(advance_s=1)
    assert (await reader.get()).status_code == 401


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1970-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
async def test_a_clock_at_the_ends_of_the_calendar_is_refused_and_stays(control, world, moment):
    before = await control.set_clock()
    with pytest.raises(ControlError, match="400"):
        await control.set_clock(now=datetime.fromisoformat(moment))
    assert await control.set_clock() == before


@pytest.mark.parametrize("moment", ["1971-01-01T00:00:00Z", "8999-12-31T23:59:59Z"])
async def test_a_clock_near_the_ends_of_the_calendar_works(control, world, moment):
    await control.set_clock(now=datetime.fromisoformat(moment), frozen=True)
    reader = await world.reader()
    added = await control.upload(7)
    assert added["start_date"] == moment
    assert added["id"] in await reader.ids()
    assert (await world.client.get("/")).status_code == 200


async def test_a_turn_that_is_refused_changes_nothing(control, world):
    before = await control.set_clock()
    with pytest.raises(ControlError, match="400"):
        await control.set_clock(now=datetime(8999, 12, 31, tzinfo=UTC), advance_s=86_401, frozen=True)
    assert await control.set_clock() == before
    last = datetime(9000, 1, 1, tzinfo=UTC)
    assert await control.set_clock(now=last) == last
    world.clock.turn(1)
    assert await control.set_clock(frozen=True) == last + timedelta(seconds=1)
    assert await control.set_clock(now=before, frozen=False) == before


async def test_a_clock_turned_back_hides_nothing(control, world):
    await control.configure(list_lag_s=5)
    added = await control.upload(7)
    await control.set_clock(now=datetime(2026, 6, 1, tzinfo=UTC))
    assert added["id"] in await (await world.reader()).ids()


@pytest.mark.parametrize("wish", [{"advance_s": -1}, {"now": "soon"}, {"now": "2026-07-01T00:00:00"}])
async def test_a_clock_that_cannot_be_set_so_says_so(world, wish):
    assert (await world.client.post("/_sim/clock", json=wish)).status_code == 422


async def test_waiting_for_a_moment_follows_the_clock():
    clock = SimulatedClock(SystemClock())
    clock.turn(frozen=True)
    waiting = asyncio.create_task(clock.passing(3600)())
    await asyncio.sleep(0)
    clock.turn(advance_s=3599)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.turn(advance_s=1)
    async with asyncio.timeout(5):
        await waiting


async def test_refresh_tokens_rotate_as_told(control, world):
    tokens = await world.tokens()
    assert (await world.refresh(tokens["refresh_token"])).json()["refresh_token"] == tokens["refresh_token"]
    await control.configure(rotation="always")
    rotated = (await world.refresh(tokens["refresh_token"])).json()["refresh_token"]
    assert rotated != tokens["refresh_token"]
    assert (await world.refresh(tokens["refresh_token"])).status_code == 400


async def test_beyond_the_capacity_only_those_who_are_connected_get_in(control, world):
    await world.tokens(7)
    await control.configure(capacity=1)
    assert "access_token" in await world.tokens(7)
    form = world.asked | {"athlete_id": "8", "decision": "authorize", "granted": ["read"]}
    full = await world.client.post("/oauth/authorize", data=form)
    assert full.status_code == 403
    assert "Limit of connected athletes exceeded" in full.text
    await control.configure(capacity=None)
    assert "access_token" in await world.tokens(8)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_revocation_kills_every_token_of_the_athlete(world, which):
    tokens, reader = await world.tokens(), await world.reader()
    ended = await world.client.post("/oauth/revoke", data={"token": tokens[which]}, auth=BASIC)
    assert (ended.status_code, ended.content) == (200, b"")
    assert (await reader.get()).status_code == 401
    assert (await world.refresh(tokens["refresh_token"])).json()["errors"][0]["resource"] == "RefreshToken"
    assert (await world.page(athlete_id="7")).status_code == 200, "consent is asked for again"


async def test_a_revocation_is_answered_as_recorded(world):
    post = world.client.post
    assert (await post("/oauth/revoke", data={"token": "unknown"}, auth=BASIC)).status_code == 200
    assert (await post("/oauth/revoke", data={}, auth=BASIC)).status_code == 400
    for wrong in (("12345", "wrong"), None):
        refused = await post("/oauth/revoke", data={"token": "x"}, auth=wrong)
        assert (refused.status_code, refused.json()) == (401, {"message": "Authorization Error", "errors": []})
    odd = await post("/oauth/revoke", data={"token": "x"}, headers={"Authorization": b"Basic \xfc"})
    assert odd.status_code == 401


async def test_the_older_deauthorization_gives_the_token_back_and_counts_as_a_read(world):
    tokens = await world.tokens()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    ended = await world.client.post("/oauth/deauthorize", headers=headers)
    assert ended.json() == {"access_token": tokens["access_token"]}
    assert ended.headers["x-readratelimit-usage"] == "1,1"
    again = await world.client.post("/oauth/deauthorize", headers=headers)
    assert again.status_code == 401


async def test_a_setting_that_does_not_exist_or_fit_is_refused(control):
    with pytest.raises(ControlError, match="422"):
        await control.configure(capacity=-1)
    with pytest.raises(ControlError, match="422"):
        await control.configure(rotation="sometimes")
