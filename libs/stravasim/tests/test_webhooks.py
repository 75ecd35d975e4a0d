"""Webhooks: handshake, events of changes, three attempts, and simulated network conditions."""

import asyncio
import hashlib
import hmac
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest
from live_server import Callback, serve_app

from stravasim.strava.webhooks import activity_event
from testkit.waiting import stays_true, wait_until

CREDENTIALS = {"client_id": "12345", "client_secret": "simulated-secret"}
BOTH = frozenset({"activity:read", "activity:read_all"})


async def subscribe(harness, url, **changed):
    form = CREDENTIALS | {"callback_url": url, "verify_token": "mine"} | changed
    return await harness.client.post("/api/v3/push_subscriptions", data=form)


@asynccontextmanager
async def subscribed(harness, callback=None):
    callback = callback or Callback()
    async with serve_app(callback.app()) as address:
        answer = await subscribe(harness, f"{address}/hook")
        assert answer.status_code == 201, answer.text
        yield callback
        await harness.app.state.simulator.webhooks.close()


async def test_a_subscription_is_made_with_a_handshake_listed_and_ended(harness):
    async with subscribed(harness) as callback:
        assert callback.verify_tokens == ["mine"]
        listed = await harness.client.get("/api/v3/push_subscriptions", params=CREDENTIALS)
        [subscription] = listed.json()
        assert subscription["callback_url"].endswith("/hook")
        assert subscription["created_at"] == "2026-07-01T12:00:00.000000000Z"
        assert subscription["application_id"] == 12345
        assert listed.headers["x-ratelimit-usage"] == "0,0"

        second = await subscribe(harness, subscription["callback_url"])
        assert second.status_code == 400
        assert second.json()["errors"] == [{"resource": "PushSubscription", "field": "", "code": "already exists"}]

        path = f"/api/v3/push_subscriptions/{subscription['id']}"
        assert (await harness.client.delete(path, params=CREDENTIALS)).status_code == 204
        assert (await harness.client.delete(path, params=CREDENTIALS)).status_code == 404
        assert (await harness.client.get("/api/v3/push_subscriptions", params=CREDENTIALS)).json() == []


@pytest.mark.parametrize(
    ("changed", "status", "resource"),
    [
        ({"client_id": "7"}, 400, "Application"),
        ({"client_secret": "wrong"}, 401, "Application"),
        ({"callback_url": ""}, 400, "PushSubscription"),
        ({"callback_url": "http://localhost/" + "x" * 255}, 400, "PushSubscription"),
        ({"callback_url": "no address"}, 400, "PushSubscription"),
        ({"callback_url": "http://127.0.0.1:1/hook"}, 400, "PushSubscription"),
        ({"callback_url": "http://localhost:99999/"}, 400, "PushSubscription"),
        ({"callback_url": "http://xn--/"}, 400, "PushSubscription"),
    ],
)
async def test_an_invalid_subscription_is_refused(harness, changed, status, resource):
    answer = await subscribe(harness, "http://127.0.0.1:1/hook", **changed)
    assert (answer.status_code, answer.json()["errors"][0]["resource"]) == (status, resource)


@pytest.mark.parametrize("body", [b'{"hub.challenge": "guess"}', b"[]", b"no JSON", b"[" * 100_000, b"\xff"])
async def test_a_callback_with_a_wrong_challenge_is_not_verifiable(harness, body):
    async with serve_app(Callback(challenge_body=body).app()) as address:
        answer = await subscribe(harness, f"{address}/hook")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"resource": "PushSubscription", "field": "callback url", "code": "not verifiable"}
    ]


async def test_a_callback_that_responds_too_slowly_is_not_verifiable(harness):
    async with serve_app(Callback(delay_per_byte_s=0.5).app()) as address:
        assert (await subscribe(harness, f"{address}/hook")).status_code == 400


async def test_the_callback_s_own_query_is_kept_in_the_handshake_and_in_events(harness):
    await harness.reader()
    callback = Callback()
    async with serve_app(callback.app()) as address:
        assert (await subscribe(harness, f"{address}/hook?secret=path")).status_code == 201
        await harness.client.post("/_sim/athletes/7/activities", json={})
        await wait_until(lambda: callback.events)
        await harness.app.state.simulator.webhooks.close()
    assert callback.queries == [{"secret": "path", **callback.queries[0]}, {"secret": "path"}]
    assert callback.queries[0]["hub.mode"] == "subscribe"


async def test_a_burst_reaches_a_slow_callback(harness):
    await harness.reader()
    dispatcher = harness.app.state.simulator.webhooks
    # With two slots the last of 20 waits longer than 2 s for its own; its 2 s begin after that.
    dispatcher._slots = asyncio.Semaphore(2)
    async with subscribed(harness, Callback(responses=[0.3] * 20)):
        for _ in range(20):
            await harness.client.post("/_sim/athletes/7/activities", json={})
        await wait_until(lambda: set(outcomes(harness)) == {"delivered"})
        assert {len(one.attempts) for one in dispatcher.deliveries} == {1}


async def test_a_clock_that_is_set_back_does_not_delay_deliveries(harness):
    await harness.client.put("/_sim/webhooks/network", json={"delay_s": 5})
    await harness.reader()
    async with subscribed(harness) as callback:
        await harness.client.post("/_sim/athletes/7/activities", json={})
        await harness.client.post("/_sim/clock", json={"now": "2026-01-01T00:00:00Z", "frozen": True})
        await harness.client.post("/_sim/clock", json={"advance_s": 4})
        await stays_true(lambda: outcomes(harness) == ["pending"], 0.2)
        await harness.client.post("/_sim/clock", json={"advance_s": 1})
        await wait_until(lambda: callback.events)


async def test_uploads_edits_and_deletions_are_notified_with_strings_for_updates(harness):
    await harness.reader()
    async with subscribed(harness) as callback:
        added = (await harness.client.post("/_sim/athletes/7/activities", json={"name": "A"})).json()
        path = f"/_sim/athletes/7/activities/{added['id']}"
        await wait_until(lambda: len(callback.events) == 1)
        await harness.client.patch(path, json={"name": "B", "sport_type": "Hike"})
        await wait_until(lambda: len(callback.events) == 2)
        await harness.client.patch(path, json={"visibility": "only_me"})
        await wait_until(lambda: len(callback.events) == 3)
        await harness.client.delete(path)
        await wait_until(lambda: len(callback.events) == 4)

    assert [event["aspect_type"] for event in callback.events] == ["create", "update", "update", "delete"]
    assert callback.events[0] == {
        "aspect_type": "create",
        "event_time": 1782907200,
        "object_id": added["id"],
        "object_type": "activity",
        "owner_id": 7,
        "subscription_id": callback.events[0]["subscription_id"],
        "updates": {},
    }
    assert callback.events[1]["updates"] == {"title": "B", "type": "Hike"}
    assert callback.events[2]["updates"] == {"private": "true"}


async def test_there_is_no_event_for_distance_unconnected_athletes_or_without_a_subscription(harness):
    await harness.client.post("/_sim/athletes/7/activities", json={})  # nobody is connected
    await harness.reader()
    added = (await harness.client.post("/_sim/athletes/7/activities", json={})).json()  # nobody is subscribed
    async with subscribed(harness) as callback:
        await harness.client.patch(f"/_sim/athletes/7/activities/{added['id']}", json={"distance": 1.0})
        await harness.client.post("/_sim/athletes/8/activities", json={})
        await harness.client.post("/_sim/athletes/7/activities", json={"name": "New"})
        await wait_until(lambda: callback.events)
    assert [event["aspect_type"] for event in callback.events] == ["create"]


@pytest.mark.parametrize(
    ("scopes", "before", "after", "aspect"),
    [
        ({"activity:read"}, {}, {"private": True}, "delete"),
        ({"activity:read"}, {"private": True}, {}, "create"),
        ({"activity:read"}, {"private": True}, {"private": True, "name": "x"}, None),
        ({"activity:read"}, None, {"visibility": "only_me"}, None),
        ({"activity:read"}, {"private": True}, None, None),
        (BOTH, {}, {"private": True}, "update"),
        (BOTH, None, {"visibility": "only_me"}, "create"),
        (BOTH, {"private": True}, None, "delete"),
        ({"activity:read_all"}, None, {}, None),  # without activity:read no webhooks ever come
    ],
)
def test_hiding_looks_like_deleting_without_the_right_to_see_everything(scopes, before, after, aspect):
    event = activity_event(7, 1, before, after, frozenset(scopes))
    assert (None if event is None else event.aspect) == aspect


async def test_a_revocation_is_notified_as_a_string_and_invalidates_the_tokens(harness):
    reader = await harness.reader()
    async with subscribed(harness) as callback:
        assert (await harness.client.delete("/_sim/athletes/7/authorization")).json() == {"was_connected": True}
        await wait_until(lambda: callback.events)
        assert (await harness.client.delete("/_sim/athletes/7/authorization")).json() == {"was_connected": False}
    [event] = callback.events
    assert (event["object_type"], event["object_id"], event["owner_id"]) == ("athlete", 7, 7)
    assert (event["aspect_type"], event["updates"]) == ("update", {"authorized": "false"})
    assert (await reader.get()).status_code == 401


async def test_three_attempts_and_then_the_delivery_has_failed(harness):
    await harness.reader()
    await harness.client.put("/_sim/webhooks/network", json={"retry_after_s": 0})
    async with subscribed(harness, Callback(responses=[500, 404, 200, 500, 500, 500, 200])) as callback:
        await harness.client.post("/_sim/athletes/7/activities", json={"name": "delivered"})
        await wait_until(lambda: outcomes(harness) == ["delivered"])
        await harness.client.post("/_sim/athletes/7/activities", json={"name": "failed"})
        await wait_until(lambda: outcomes(harness) == ["delivered", "failed"])
        deliveries = (await harness.client.get("/_sim/webhooks")).json()["deliveries"]
    assert [one["attempts"] for one in deliveries] == [["500", "404", "200"], ["500", "500", "500"]]
    assert len(callback.events) == 1


def outcomes(harness):
    return [one.outcome for one in harness.app.state.simulator.webhooks.deliveries]


async def test_a_response_after_two_seconds_is_too_late_and_the_next_attempt_waits_for_the_clock(harness):
    await harness.client.post("/_sim/clock", json={"frozen": True})
    await harness.reader()
    async with subscribed(harness, Callback(responses=[2.5])) as callback:
        await harness.client.post("/_sim/athletes/7/activities", json={})
        deliveries = harness.app.state.simulator.webhooks.deliveries
        await wait_until(lambda: deliveries and deliveries[0].attempts)
        assert deliveries[0].attempts == ["no response within 2 s"]
        received = len(callback.events)
        await harness.client.post("/_sim/clock", json={"advance_s": 59})
        await stays_true(lambda: deliveries[0].outcome == "pending", 0.2)
        await harness.client.post("/_sim/clock", json={"advance_s": 1})
        await wait_until(lambda: deliveries[0].outcome == "delivered")
    assert len(callback.events) >= received + 1


async def add_activities(harness, number):
    return [(await harness.client.post("/_sim/athletes/7/activities", json={})).json()["id"] for _ in range(number)]


@pytest.mark.parametrize(("conditions", "copies"), [({}, 1), ({"duplicates": 1}, 2), ({"loss": 1}, 0)])
async def test_events_are_duplicated_or_lost(harness, conditions, copies):
    await harness.client.put("/_sim/webhooks/network", json=conditions)
    await harness.reader()
    async with subscribed(harness) as callback:
        ids = await add_activities(harness, 3)
        await wait_until(lambda: len(outcomes(harness)) >= 3 and "pending" not in outcomes(harness))
    assert Counter(event["object_id"] for event in callback.events) == Counter(ids * copies)


async def test_events_are_reordered(harness):
    await harness.client.post("/_sim/clock", json={"frozen": True})
    await harness.client.put("/_sim/webhooks/network", json={"reordering": 1, "delay_s": 20})
    await harness.reader()
    async with subscribed(harness) as callback:
        ids = await add_activities(harness, 20)
        await harness.client.post("/_sim/clock", json={"advance_s": 25})
        await wait_until(lambda: "delivered" in outcomes(harness))
        await stays_true(lambda: "pending" in outcomes(harness), 0.3)
        assert outcomes(harness) != sorted(outcomes(harness)), "later ones came before earlier ones"
        await harness.client.post("/_sim/clock", json={"advance_s": 10})
        await wait_until(lambda: "pending" not in outcomes(harness))
    assert Counter(event["object_id"] for event in callback.events) == Counter(ids)


async def test_the_signature_is_that_of_the_body(harness):
    await harness.client.patch("/_sim/settings", json={"signed": True})
    await harness.reader()
    async with subscribed(harness) as callback:
        await harness.client.post("/_sim/athletes/7/activities", json={})
        await wait_until(lambda: callback.events)
    stamp, value = callback.headers[0]["x-strava-signature"].split(",")
    signed = stamp.removeprefix("t=").encode() + b"." + callback.bodies[0]
    assert value == "v1=" + hmac.new(b"simulated-secret", signed, hashlib.sha256).hexdigest()


async def test_an_inactive_application_has_no_subscriptions_but_its_tokens_are_answered(harness):
    reader = await harness.reader()
    await harness.client.patch("/_sim/settings", json={"inactive": True})
    refused = await reader.get()
    assert refused.status_code == 403
    assert refused.json() == {
        "message": "Forbidden",
        "errors": [{"resource": "Application", "field": "Status", "code": "Inactive"}],
    }
    assert (await harness.client.get("/api/v3/push_subscriptions", params=CREDENTIALS)).status_code == 403
    assert "access_token" in await harness.tokens()
    await harness.client.patch("/_sim/settings", json={"inactive": False})
    assert (await reader.get()).status_code == 200


async def test_a_live_server_lists_no_deliveries_at_first(harness):
    async with serve_app(harness.app) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/_sim/webhooks")).json() == {"subscription": None, "deliveries": []}
