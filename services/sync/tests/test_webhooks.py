"""The receiver of Strava's webhooks, over HTTP, and the subscription that brings them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sync_helpers import ATHLETE, SyncUnderTest

from shared.http.api import create_api
from stravasim.simulator import Simulator
from sync.clients.subscriptions import SubscriptionClient, Webhooks
from sync.dependencies import ApiContext
from sync.main import configure_api
from sync.webhooks import queries
from sync.webhooks.rules import interpret
from sync.webhooks.use_cases import GAP, check_if_due, ensure_subscription, note_listening
from testkit.databases import execute, fetch_rows
from testkit.handling import emitted

SECRET = "an-unguessable-segment"
PATH = f"/strava/webhook/{SECRET}"
OPERATOR_KEY = "the-operators-key-01"


def event(**fields: Any) -> dict[str, Any]:
    usual = {
        "aspect_type": "create",
        "event_time": 1_777_000_000,
        "object_id": 11,
        "object_type": "activity",
        "owner_id": ATHLETE,
        "subscription_id": 131_300,
        "updates": {},
    }
    return {**usual, **fields}


class Receiver:
    """The process `api` in this one: the application that faces the internet, and Strava reaching it."""

    def __init__(self, service: SyncUnderTest) -> None:
        self.service = service
        self.strava: Simulator = service.strava
        self.app: FastAPI = create_api("sync-api")
        strava = httpx.AsyncClient(transport=service.transport.inner)
        client = SubscriptionClient(strava, "http://strava.test/api/v3", 12345, "simulated-secret")
        self.webhooks = Webhooks("http://sync.test", SECRET, client)
        configure_api(
            ApiContext(service.database, self.webhooks, OPERATOR_KEY, service.now), self.app, create_api("internal")
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://sync.test")
        self.strava.webhooks._client = self.http  # what Strava sends arrives here
        self._closing = [strava, self.http]

    async def post(self, path: str = PATH, **fields: Any) -> httpx.Response:
        return await self.http.post(path, json=event(**fields))

    async def ensure(self) -> str | None:
        return await ensure_subscription(self.service.database, self.webhooks, self.service.now)

    async def known(self) -> queries.Subscription:
        async with self.service.database.transaction() as session:
            return await queries.find_subscription(session)

    async def stored(self) -> list[Any]:
        return await fetch_rows(self.service.database, "select * from webhook_events order by id")

    async def close(self) -> None:
        for client in self._closing:
            await client.aclose()


@pytest.fixture
async def receiver(service: SyncUnderTest) -> AsyncIterator[Receiver]:
    made = Receiver(service)
    await service.authorize()
    await service.run_all()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("fields", "meaning"),
    [
        (("activity", "create", {}), "changed"),
        (("activity", "delete", {}), "changed"),
        (("activity", "update", {"type": "Ride"}), "changed"),
        (("activity", "update", {"private": "true", "title": "x"}), "changed"),
        (("activity", "update", {"sport_type": "Ride"}), "changed"),
        (("activity", "update", {}), "changed"),
        (("activity", "update", {"title": "Evening run"}), "nothing"),
        (("athlete", "update", {"authorized": "false"}), "deauthorized"),
        (("athlete", "update", {"authorized": False}), "deauthorized"),
        (("athlete", "update", {"authorized": "true"}), "nothing"),
        (("athlete", "update", {}), "nothing"),
        (("athlete", "delete", {"authorized": "false"}), "nothing"),
        (("club", "create", {}), "nothing"),
    ],
)
def test_what_an_event_asks_for(fields: tuple[str, str, dict[str, Any]], meaning: str) -> None:
    assert interpret(*fields) == meaning


async def test_an_event_is_committed_before_it_is_answered(receiver: Receiver) -> None:
    answer = await receiver.post()
    assert answer.status_code == 200
    [stored] = await receiver.stored()
    assert (stored.strava_id, stored.aspect, stored.handled_at) == (11, "create", None)
    assert [job.kind for job in await receiver.service.jobs()] == ["join", "webhook"]


async def test_an_event_that_is_sent_again_is_one(receiver: Receiver) -> None:
    for _ in range(3):
        assert (await receiver.post()).status_code == 200
    await receiver.post(aspect_type="update")
    await receiver.post(event_time=1_777_000_001)
    assert len(await receiver.stored()) == 3
    receiver.service.clock.advance(90)
    await receiver.service.run_all()
    calls = receiver.service.transport.calls
    await receiver.post()
    await receiver.service.run_all()
    assert receiver.service.transport.calls == calls


@pytest.mark.parametrize("path", ["/strava/webhook/guess", "/strava/webhook/", "/strava/webhook", "/", f"{PATH}/x"])
async def test_whoever_does_not_know_the_address_learns_nothing(receiver: Receiver, path: str) -> None:
    assert (await receiver.post(path)).status_code == 404
    assert (await receiver.http.get(path, params={"hub.mode": "subscribe"})).status_code == 404
    assert not await receiver.stored()


async def test_strava_verifies_the_address_with_a_token_and_a_challenge(receiver: Receiver) -> None:
    good = {
        "hub.mode": "subscribe",
        "hub.challenge": "15f7d1a91c1f40f8a748fd134752feb3",
        "hub.verify_token": receiver.webhooks.verify_token,
    }
    answer = await receiver.http.get(PATH, params=good)
    assert (answer.status_code, answer.json()) == (200, {"hub.challenge": good["hub.challenge"]})
    assert answer.headers["content-type"] == "application/json"
    for bad in ({"hub.verify_token": "guess"}, {"hub.mode": "unsubscribe"}):
        assert (await receiver.http.get(PATH, params={**good, **bad})).status_code == 403
    assert (await receiver.http.get(PATH)).status_code == 403


@pytest.mark.parametrize(
    "broken",
    [
        {"object_id": "x"},
        {"object_id": 2**63},
        {"object_id": 0},
        {"owner_id": -1},
        {"aspect_type": "explode"},
        {"event_time": 10**15},
        {"updates": []},
        {"object_type": None},
        {"object_type": "x" * 51},
        {"subscription_id": None},
        {"updates": {str(number): "x" for number in range(51)}},
    ],
)
async def test_a_malformed_event_is_refused(receiver: Receiver, broken: dict[str, Any]) -> None:
    assert (await receiver.post(**broken)).status_code == 422
    assert not await receiver.stored()


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"[" * 60_000, b"\xff", b"x" * 70_000])
async def test_a_body_that_is_no_event_is_refused(receiver: Receiver, body: bytes) -> None:
    answer = await receiver.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413, 422)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3)


@given(st.sampled_from(["activity", "athlete", "x"]), st.text(), st.dictionaries(st.text(max_size=12), JSON))
def test_whatever_an_event_says_has_a_meaning(kind: str, aspect: str, updates: dict[str, Any]) -> None:
    assert interpret(kind, aspect, updates) in ("changed", "deauthorized", "nothing")


async def test_an_event_about_an_unknown_or_disconnected_athlete_is_ignored(receiver: Receiver) -> None:
    assert (await receiver.post(owner_id=99)).status_code == 200
    await execute(receiver.service.database, "update athletes set status = 'disconnected'")
    assert (await receiver.post()).status_code == 200
    assert not await receiver.stored()


async def test_an_event_of_another_subscription_is_refused(receiver: Receiver) -> None:
    await receiver.ensure()
    assert (await receiver.post(subscription_id=1)).status_code == 403
    assert not await receiver.stored()
    assert (await receiver.post()).status_code == 200


async def test_a_title_costs_no_call(receiver: Receiver) -> None:
    await receiver.post(aspect_type="update", updates={"title": "Secret hill"})
    assert not await receiver.stored()
    assert len(await receiver.service.jobs()) == 1


async def test_a_deauthorization_is_reported_for_auth_to_make_sure(receiver: Receiver) -> None:
    told = {
        "object_type": "athlete",
        "object_id": ATHLETE,
        "aspect_type": "update",
        "updates": {"authorized": "false"},
    }
    assert (await receiver.post(**told)).status_code == 200
    [(_, reported)] = await emitted(receiver.service.database, "strava.deauthorization_reported")
    assert reported["athlete_id"] == ATHLETE
    assert datetime.fromisoformat(reported["event_time"]) == datetime.fromtimestamp(1_777_000_000, UTC)
    assert (await receiver.service.athlete()).status == "authorized", "only auth can tell"


async def test_a_thousand_events_at_once_are_all_answered_and_all_stored(
    make_service: Callable[..., SyncUnderTest], record_property: Callable[[str, object], None]
) -> None:
    service = make_service(athletes=20)
    receiver = Receiver(service)
    for number in range(20):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    async def tell(number: int) -> int:
        started = loop.time()
        answer = await receiver.post(object_id=number, owner_id=ATHLETE + number % 20)
        waits.append(loop.time() - started)
        return answer.status_code

    statuses = await asyncio.gather(*(tell(number) for number in range(1, 1001)))
    assert statuses == [200] * 1000
    assert len(await receiver.stored()) == 1000
    record_property("measured", f"sync: 1,000 webhook events at once, the last one answered after {max(waits):.2f} s")
    await receiver.close()


async def test_strava_s_own_events_arrive_and_are_fetched(receiver: Receiver) -> None:
    assert await receiver.ensure() is None
    service = receiver.service
    service.auth.token()  # Strava knows the athlete's scopes
    service.strava.add_activity(ATHLETE, {"id": 5, "sport_type": "Run", "start_date": "2026-05-02T06:00:00Z"})
    await asyncio.gather(*service.strava.webhooks._tasks)
    service.clock.advance(600)
    await service.run_all()
    assert [activity["id"] for activity in await service.fetched()] == [5]
    service.strava.update_activity(ATHLETE, 5, {"visibility": "only_me"})
    service.auth.scopes = frozenset({"read", "activity:read"})
    await asyncio.gather(*service.strava.webhooks._tasks)
    service.clock.advance(600)
    await service.run_all()
    assert [one["strava_id"] for one in await service.events("activity.vanished")] == [5]


async def test_the_subscription_is_created_kept_and_repaired(receiver: Receiver) -> None:
    assert await receiver.ensure() is None
    first = receiver.strava.subscription
    assert first is not None
    assert first.callback_url == f"http://sync.test{PATH}"
    assert (await receiver.known()).id == first.id
    assert await receiver.ensure() is None
    assert receiver.strava.subscription == first, "it is left alone"
    receiver.strava.subscription = replace(first, callback_url="http://elsewhere.test/old")
    with structlog.testing.capture_logs() as lines:
        assert await receiver.ensure() is None
    assert receiver.strava.subscription.callback_url == f"http://sync.test{PATH}"
    assert (await receiver.known()).id == receiver.strava.subscription.id != first.id
    assert SECRET not in str(lines)
    receiver.strava.subscription = None
    assert await receiver.ensure() is None
    assert receiver.strava.subscription is not None


async def test_a_subscription_that_strava_refuses_is_a_problem_that_is_told_without_secrets(
    receiver: Receiver,
) -> None:
    receiver.webhooks = replace(receiver.webhooks, url="http://sync.test/not-here")
    with structlog.testing.capture_logs() as lines:
        problem = await receiver.ensure()
    assert problem is not None
    assert "PushSubscription" in problem
    assert (await receiver.known()).problem == problem
    assert "simulated-secret" not in f"{lines}{problem}"
    assert SECRET not in f"{lines}{problem}"


async def test_while_strava_is_away_the_subscription_is_as_it_was(receiver: Receiver) -> None:
    await receiver.ensure()
    known = await receiver.known()
    away = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503, text="<html>")))
    client = SubscriptionClient(away, "http://strava.test", 12345, "simulated-secret")
    problem = await ensure_subscription(
        receiver.service.database, replace(receiver.webhooks, client=client), receiver.service.now
    )
    assert problem == "Strava answered 503"
    assert (await receiver.known()).id == known.id
    await away.aclose()


async def test_the_subscription_is_checked_every_hour_by_one_process(receiver: Receiver) -> None:
    service = receiver.service
    asked = 0

    def count(path: str) -> int:
        return sum(record.path.endswith(path) for record in service.strava.request_log)

    for hours in range(3):
        await asyncio.gather(*(check_if_due(service.database, receiver.webhooks, service.now) for _ in range(4)))
        await check_if_due(service.database, receiver.webhooks, service.now)
        asked = count("push_subscriptions")
        assert asked == 2 + hours, "looked and created once, then looked"
        service.clock.advance(3601)


async def test_events_that_may_have_been_missed_are_remembered(receiver: Receiver) -> None:
    service = receiver.service
    await note_listening(service.database, service.now)
    first = service.now()
    for _ in range(5):
        service.clock.advance(30)
        await note_listening(service.database, service.now)
    [row] = await fetch_rows(service.database, "select * from strava_application")
    assert (row.gap_ended_at, row.listening_at) == (first, service.now())
    service.clock.advance((GAP + timedelta(seconds=1)).total_seconds())
    await note_listening(service.database, service.now)
    [row] = await fetch_rows(service.database, "select * from strava_application")
    assert row.gap_ended_at == service.now()
