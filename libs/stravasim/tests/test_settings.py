"""The clock, the limits and the other settings at run time; and both ways to revoke an authorization."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from stravasim.clock import SimulatedClock, SystemClock
from stravasim.control.client import ControlError

BASIC = ("12345", "simulated-secret")


async def test_the_clock_is_set_advanced_frozen_and_released(control, harness):
    morning = datetime(2026, 7, 2, 8, 14, 59, tzinfo=UTC)
    assert await control.set_clock(now=morning, frozen=True) == morning
    harness.clock.advance(100)
    assert await control.set_clock() == morning
    assert await control.set_clock(advance_s=1, frozen=False) == morning + timedelta(seconds=1)
    harness.clock.advance(100)
    assert await control.set_clock() == morning + timedelta(seconds=101)


async def test_the_windows_follow_the_clock(control, harness):
    await control.update_settings(limits={"read_quarter": 1})
    reader = await harness.reader()
    assert [(await reader.get()).status_code for _ in range(2)] == [200, 429]
    await control.set_clock(advance_s=900)
    assert (await reader.get()).status_code == 200
    assert (await control.update_settings())["limits"]["read_quarter"] == 1
    await control.update_settings(limits={"read_quarter": 50, "overall_day": 60})
    answer = await reader.get()
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-readratelimit-limit"]) == ("200,60", "50,1000")


async def test_a_token_expires_with_the_clock(control, harness):
    reader = await harness.reader()
    await control.set_clock(advance_s=21_599)
    assert (await reader.get()).status_code == 200
    await control.set_clock(advance_s=1)
    assert (await reader.get()).status_code == 401


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1970-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
async def test_a_clock_at_the_ends_of_the_calendar_is_refused_and_stays(control, harness, moment):
    before = await control.set_clock()
    with pytest.raises(ControlError, match="400"):
        await control.set_clock(now=datetime.fromisoformat(moment))
    assert await control.set_clock() == before


@pytest.mark.parametrize("moment", ["1971-01-01T00:00:00Z", "8999-12-31T23:59:59Z"])
async def test_a_clock_near_the_ends_of_the_calendar_works(control, harness, moment):
    await control.set_clock(now=datetime.fromisoformat(moment), frozen=True)
    reader = await harness.reader()
    added = await control.add_activity(7)
    assert added["start_date"] == moment
    assert added["id"] in await reader.ids()
    assert (await harness.client.get("/")).status_code == 200


async def test_a_refused_clock_update_changes_nothing(control, harness):
    before = await control.set_clock()
    with pytest.raises(ControlError, match="400"):
        await control.set_clock(now=datetime(8999, 12, 31, tzinfo=UTC), advance_s=86_401, frozen=True)
    assert await control.set_clock() == before
    last = datetime(9000, 1, 1, tzinfo=UTC)
    assert await control.set_clock(now=last) == last
    harness.clock.advance(1)
    assert await control.set_clock(frozen=True) == last + timedelta(seconds=1)
    assert await control.set_clock(now=before, frozen=False) == before


async def test_a_clock_set_back_hides_nothing(control, harness):
    await control.update_settings(list_lag_s=5)
    added = await control.add_activity(7)
    await control.set_clock(now=datetime(2026, 6, 1, tzinfo=UTC))
    assert added["id"] in await (await harness.reader()).ids()


@pytest.mark.parametrize("wish", [{"advance_s": -1}, {"now": "soon"}, {"now": "2026-07-01T00:00:00"}])
async def test_an_invalid_clock_update_is_refused(harness, wish):
    assert (await harness.client.post("/_sim/clock", json=wish)).status_code == 422


async def test_waiting_for_a_deadline_follows_the_clock():
    clock = SimulatedClock(SystemClock())
    clock.set(frozen=True)
    waiting = asyncio.create_task(clock.sleep_until(clock.deadline(3600)))
    await asyncio.sleep(0)
    clock.set(advance_s=3599)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.set(advance_s=1)
    async with asyncio.timeout(5):
        await waiting


async def test_refresh_tokens_rotate_as_configured(control, harness):
    tokens = await harness.tokens()
    assert (await harness.refresh(tokens["refresh_token"])).json()["refresh_token"] == tokens["refresh_token"]
    await control.update_settings(rotation="always")
    rotated = (await harness.refresh(tokens["refresh_token"])).json()["refresh_token"]
    assert rotated != tokens["refresh_token"]
    assert (await harness.refresh(tokens["refresh_token"])).status_code == 400


async def test_beyond_the_capacity_only_connected_athletes_can_authorize(control, harness):
    await harness.tokens(7)
    await control.update_settings(capacity=1)
    assert "access_token" in await harness.tokens(7)
    form = harness.asked | {"athlete_id": "8", "decision": "authorize", "granted": ["read"]}
    full = await harness.client.post("/oauth/authorize", data=form)
    assert full.status_code == 403
    assert "Limit of connected athletes exceeded" in full.text
    await control.update_settings(capacity=None)
    assert "access_token" in await harness.tokens(8)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_revocation_invalidates_every_token_of_the_athlete(harness, which):
    tokens, reader = await harness.tokens(), await harness.reader()
    ended = await harness.client.post("/oauth/revoke", data={"token": tokens[which]}, auth=BASIC)
    assert (ended.status_code, ended.content) == (200, b"")
    assert (await reader.get()).status_code == 401
    assert (await harness.refresh(tokens["refresh_token"])).json()["errors"][0]["resource"] == "RefreshToken"
    assert (await harness.page(athlete_id="7")).status_code == 200, "consent is asked for again"


async def test_a_revocation_is_answered_as_recorded(harness):
    post = harness.client.post
    assert (await post("/oauth/revoke", data={"token": "unknown"}, auth=BASIC)).status_code == 200
    assert (await post("/oauth/revoke", data={}, auth=BASIC)).status_code == 400
    for wrong in (("12345", "wrong"), None):
        refused = await post("/oauth/revoke", data={"token": "x"}, auth=wrong)
        assert (refused.status_code, refused.json()) == (401, {"message": "Authorization Error", "errors": []})
    odd = await post("/oauth/revoke", data={"token": "x"}, headers={"Authorization": b"Basic \xfc"})
    assert odd.status_code == 401


async def test_the_older_deauthorization_gives_the_token_back_and_counts_as_a_read(harness):
    tokens = await harness.tokens()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    ended = await harness.client.post("/oauth/deauthorize", headers=headers)
    assert ended.json() == {"access_token": tokens["access_token"]}
    assert ended.headers["x-readratelimit-usage"] == "1,1"
    again = await harness.client.post("/oauth/deauthorize", headers=headers)
    assert again.status_code == 401


async def test_a_setting_that_does_not_exist_or_fit_is_refused(control):
    with pytest.raises(ControlError, match="422"):
        await control.update_settings(capacity=-1)
    with pytest.raises(ControlError, match="422"):
        await control.update_settings(rotation="sometimes")
