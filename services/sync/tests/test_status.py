"""What the panel and operators are told, and what they may do; on the port that no stranger reaches."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sync_helpers import ATHLETE, USER, SyncUnderTest

from shared.contracts.sync_api import (
    AthletePage,
    OpenedJobs,
    SubscriptionCheck,
    SyncErrors,
    SyncStatus,
)
from shared.http.api import create_api
from sync.clients.subscriptions import SubscriptionClient, Webhooks
from sync.dependencies import ApiContext
from sync.main import configure_api, purge
from sync.nightly.use_cases import run_if_due
from sync.status.use_cases import update_metrics
from testkit.databases import execute, fetch_rows
from testkit.metrics import metric_value

KEY = "the-operators-key-01"


class Operator:
    """An operator's client of the process `api`."""

    def __init__(self, service: SyncUnderTest, webhooks: Webhooks | None = None) -> None:
        self.app: FastAPI = create_api("internal")
        public = create_api("sync-api")
        configure_api(ApiContext(service.database, webhooks, KEY, service.now), public, self.app)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://sync.test",
            headers={"Authorization": f"Bearer {KEY}"},
        )
        self.public = httpx.AsyncClient(transport=httpx.ASGITransport(public), base_url="http://sync.test")

    async def status(self) -> SyncStatus:
        return SyncStatus.model_validate_json((await self.http.get("/status")).content)


@pytest.fixture
async def operator(service: SyncUnderTest) -> AsyncIterator[Operator]:
    made = Operator(service)
    yield made
    await made.http.aclose()
    await made.public.aclose()


@pytest.mark.parametrize("path", ["/status", "/athletes", "/errors"])
async def test_only_operators_are_told(operator: Operator, path: str) -> None:
    assert (await operator.http.get(path)).status_code == 200
    for header in ({"Authorization": "Bearer guess"}, {"Authorization": ""}):
        assert (await operator.http.get(path, headers=header)).status_code == 403
    assert (await operator.public.get(path, headers={"Authorization": f"Bearer {KEY}"})).status_code == 404


async def test_a_new_installation_has_a_status(operator: Operator) -> None:
    status = await operator.status()
    assert (status.athletes, status.queues, status.nightly_runs) == ({}, (), ())
    assert (status.budget.day.left, status.budget.quarter.limit) == (1000, 100)
    assert not status.webhooks.subscribed


async def test_the_status_tells_of_athletes_budget_jobs_and_nights(
    operator: Operator, service: SyncUnderTest
) -> None:
    service.add_activities(1)
    await service.authorize()
    before = await operator.status()
    assert [(queue.kind, queue.due, queue.running) for queue in before.queues] == [("join", 1, 0)]
    assert before.never_listed == 1
    await service.run_all()
    after = await operator.status()
    assert after.athletes == {"authorized": 1}
    assert (after.never_listed, after.oldest_listing_at) == (0, service.now())
    assert (after.budget.quarter.used, after.budget.quarter.left) == (2, 98)
    assert after.budget.quarter.left_by_kind["webhook"] == 98
    assert after.budget.day.left_by_kind["nightly"] < 998
    assert after.queues == ()


async def test_a_night_shows_its_progress(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=3)
    operator = Operator(service)
    for number in range(3):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    service.clock.advance(86_400)
    await run_if_due(service.database, service.now, service.now().tzinfo, 7)  # type: ignore[arg-type]
    service.transport.script = [httpx.Response(200, json={})]
    await service.step()
    await service.step()
    [night] = (await operator.status()).nightly_runs
    assert (night.athletes, night.succeeded, night.failed, night.open) == (3, 1, 0, 2)
    assert night.finished_at is None


async def test_athletes_are_told_page_by_page_with_their_health(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=5)
    operator = Operator(service)
    for number in range(5):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()
    failed = "update athletes set last_error = 'unavailable', status = 'needs_reconnect' where user_id = :user"
    await execute(service.database, failed, user=UUID(int=9))

    async def page(**params: Any) -> AthletePage:
        answer = await operator.http.get("/athletes", params=params)
        return AthletePage.model_validate_json(answer.content)

    first = await page(limit=3)
    assert [athlete.user_id.int for athlete in first.athletes] == [7, 8, 9]
    second = await page(limit=3, after=str(first.next_after))
    assert ([athlete.user_id.int for athlete in second.athletes], second.next_after) == ([10, 11], None)
    for params in ({"status": "needs_reconnect"}, {"failed": True}):
        [athlete] = (await page(**params)).athletes
        assert (athlete.user_id.int, athlete.last_error) == (9, "unavailable")
    assert first.athletes[0].last_synced_at == service.now()
    assert first.athletes[0].open_jobs == ()


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 501}, {"after": "x"}, {"status": "x" * 21}, {"failed": "x"}]
)
async def test_a_malformed_question_is_refused(operator: Operator, params: dict[str, Any]) -> None:
    assert (await operator.http.get("/athletes", params=params)).status_code == 422


async def test_the_last_errors_are_told_as_codes(operator: Operator, service: SyncUnderTest) -> None:
    service.transport.script = [httpx.Response(500, text="Anna's secret")]
    await service.authorize()
    await service.step()
    answer = await operator.http.get("/errors")
    [error] = SyncErrors.model_validate_json(answer.content).errors
    assert (error.kind, error.error, error.attempts, error.failed_at) == ("join", "unavailable", 1, None)
    assert "secret" not in answer.text
    service.auth.revoked = True
    await service.make_due()
    await service.step()
    [error] = SyncErrors.model_validate_json((await operator.http.get("/errors")).content).errors
    assert (error.error, error.failed_at) == ("reauthorization_needed", service.now())


async def test_a_fetch_can_be_asked_for_of_one_or_of_all(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=3)
    operator = Operator(service)
    for number in range(3):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.run_all()

    async def request(**params: Any) -> int:
        answer = await operator.http.post("/syncs", params=params)
        return OpenedJobs.model_validate_json(answer.content).opened

    assert await request(user_id=str(USER)) == 1
    assert await request(user_id=str(USER)) == 0
    assert await request() == 2
    assert await request(user_id=str(UUID(int=99))) == 0
    await service.run_all()
    reasons = [event["reason"] for event in await service.events("sync.finished")]
    assert reasons == ["join"] * 3 + ["manual"] * 3


async def test_without_webhooks_their_check_says_so(operator: Operator) -> None:
    answer = await operator.http.post("/subscription")
    assert answer.status_code == 409
    assert "WEBHOOK_URL is not set" in answer.json()["message"]


async def test_the_subscription_can_be_checked_by_hand(service: SyncUnderTest) -> None:
    strava = httpx.AsyncClient(transport=service.transport.inner)
    client = SubscriptionClient(strava, "http://strava.test/api/v3", 12345, "simulated-secret")
    operator = Operator(service, Webhooks("http://sync.test", "an-unguessable-segment", client))
    service.strava.webhooks._client = operator.public
    answer = await operator.http.post("/subscription")
    assert SubscriptionCheck.model_validate_json(answer.content) == SubscriptionCheck(subscribed=True, problem=None)
    assert (await operator.status()).webhooks.subscribed
    wrong = SubscriptionClient(strava, "http://strava.test/api/v3", 12345, "wrong")
    operator = Operator(service, Webhooks("http://sync.test", "an-unguessable-segment", wrong))
    answer = await operator.http.post("/subscription")
    assert "401" in answer.json()["problem"]
    assert "wrong" not in answer.text
    await strava.aclose()


async def test_gauges_say_how_it_goes(make_service: Callable[..., SyncUnderTest]) -> None:
    service = make_service(athletes=2)
    for number in range(2):
        await service.authorize(UUID(int=ATHLETE + number), ATHLETE + number)
    await service.step()
    service.clock.advance(60)
    await execute(service.database, "update athletes set status = 'needs_reconnect' where last_synced_at is null")
    await update_metrics(service.database, service.now)
    assert metric_value("sync_strava_calls_left", {"window": "day"}) in (998, 1000)
    assert metric_value("sync_open_jobs", {"kind": "join"}) == 1
    assert metric_value("sync_oldest_due_job_age_seconds") >= 60
    assert metric_value("sync_oldest_listing_age_seconds") >= 60
    assert metric_value("sync_paused_athletes") == 1


async def test_what_is_old_is_purged_and_nothing_else(service: SyncUnderTest) -> None:
    service.add_activities(1)
    await service.authorize()
    await service.run_all()
    await service.receive("create", 1)
    service.clock.advance(600)
    await service.run_all()
    service.clock.advance(8 * 86_400)
    await purge(service.database, service.now)
    assert not await fetch_rows(service.database, "select 1 from webhook_events")
    assert len(await service.jobs()) == 2
    await service.receive("create", 2)
    await execute(service.database, "delete from jobs where closed_at is null")  # they disconnected
    service.clock.advance(23 * 86_400)
    await service.sign_in_again()
    await purge(service.database, service.now)
    assert len(await fetch_rows(service.database, "select 1 from webhook_events")) == 1
    service.clock.advance(8 * 86_400)
    await purge(service.database, service.now)
    assert not await fetch_rows(service.database, "select 1 from webhook_events")
    assert [job.closed_at for job in await service.jobs()] == [None]
