"""`gruppetto sync` and `gruppetto webhooks`, as their user runs them."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from operator_api_fakes import FakeSync, gruppetto, json_of, refusal

from shared.contracts.sync_api import (
    AthletePage,
    AthleteStatus,
    BudgetStatus,
    NightlyRunStatus,
    OpenedJobs,
    QueueStatus,
    SubscriptionCheck,
    SyncError,
    SyncErrors,
    SyncStatus,
    WebhookStatus,
    WindowStatus,
)

NOW = datetime(2026, 11, 20, 18, 0, 5, tzinfo=UTC)


def window(used: int, limit: int) -> WindowStatus:
    return WindowStatus(
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=15),
        limit=limit,
        used=used,
        left=limit - used,
        left_by_kind={"webhook": limit - used, "nightly": 3},
    )


def status(**fields: object) -> SyncStatus:
    usual = SyncStatus(
        athletes={"authorized": 40, "needs_reconnect": 2},
        oldest_listing_at=NOW - timedelta(days=3),
        never_listed=1,
        needed_since=None,
        budget=BudgetStatus(
            quarter=window(12, 100), day=window(712, 1000), inactive_since=None, last_unforeseen_refusal_at=None
        ),
        queues=(QueueStatus(kind="webhook", waiting=4, due=1, running=0, next_at=NOW),),
        webhooks=WebhookStatus(
            subscribed=True, checked_at=NOW, problem=None, last_event_at=None, pending_events=1, missed_until=None
        ),
        nightly_runs=(
            NightlyRunStatus(
                local_date=date(2026, 11, 20),
                started_at=NOW,
                finished_at=None,
                athletes=7,
                succeeded=4,
                failed=1,
                open=2,
            ),
        ),
    )
    return usual.model_copy(update=fields)


def athlete(number: int, **fields: object) -> AthleteStatus:
    usual = AthleteStatus(
        user_id=UUID(int=number),
        status="authorized",
        last_synced_at=NOW,
        last_fetched_at=NOW,
        last_error=None,
        last_error_at=None,
        open_jobs=("webhook", "nightly"),
        next_sync_at=None,
    )
    return usual.model_copy(update=fields)


@pytest.fixture
def sync() -> FakeSync:
    """sync with something of everything."""
    second = AthletePage(athletes=(athlete(2, last_error="unavailable"),), next_after=None)
    error = SyncError(user_id=UUID(int=2), kind="join", error="unavailable", attempts=3, failed_at=None, next_at=NOW)
    return FakeSync(
        answers={
            "/status": status(),
            "/athletes": AthletePage(athletes=(athlete(1),), next_after=UUID(int=1)),
            f"/athletes{UUID(int=1)}": second,
            "/errors": SyncErrors(errors=(error,)),
            "/syncs": OpenedJobs(opened=2),
            "/subscription": SubscriptionCheck(subscribed=True, problem=None),
        }
    )


def test_the_status_shows_calls_jobs_webhooks_and_nights(sync: FakeSync) -> None:
    done = gruppetto(sync, "sync", "status")
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "quarter hour 12 100 88 2026-11-20 18:15:05 UTC webhook 88, nightly 3" in lines
    assert "day 712 1000 288 2026-11-20 18:15:05 UTC webhook 288, nightly 3" in lines
    assert "athletes: 40 authorized, 2 needs_reconnect; 1 were never listed" in lines
    assert "webhooks: subscribed, checked 2026-11-20 18:00:05 UTC, last event never, 1 event pending" in lines
    assert "webhook 1 4 0 2026-11-20 18:00:05 UTC" in lines
    assert "2026-11-20 2026-11-20 18:00:05 UTC never 7 4 1 2" in lines
    assert "NOTHING IS FETCHED" not in done.stdout


def test_an_inactive_application_and_an_unforeseen_refusal_are_told(sync: FakeSync) -> None:
    budget = status().budget.model_copy(update={"inactive_since": NOW, "last_unforeseen_refusal_at": NOW})
    sync.answers["/status"] = status(budget=budget)
    shown = gruppetto(sync, "sync", "status").stdout
    assert "Strava says since 2026-11-20 18:00:05 UTC that the application is inactive: NOTHING IS FETCHED" in shown
    assert "a call was refused unforeseen at 2026-11-20 18:00:05 UTC" in shown


def test_the_status_is_shown_as_json(sync: FakeSync) -> None:
    assert json_of(gruppetto(sync, "sync", "status", "--json")) == status().model_dump(mode="json")


def test_all_pages_of_athletes_are_shown(sync: FakeSync) -> None:
    done = gruppetto(sync, "sync", "athletes")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "2 athletes"
    assert f"{UUID(int=1)} authorized 2026-11-20 18:00:05 UTC 2026-11-20 18:00:05 UTC webhook, nightly never" in lines
    assert any("unavailable" in line for line in lines)
    shown = json_of(gruppetto(sync, "sync", "athletes", "--failed", "--status", "authorized", "--json"))
    assert len(shown["athletes"]) == 2  # type: ignore[index,call-overload]
    assert "failed=true" in sync.calls[-1]
    assert "status=authorized" in sync.calls[-1]


def test_errors_are_shown_as_codes(sync: FakeSync) -> None:
    done = gruppetto(sync, "sync", "errors")
    assert f"{UUID(int=2)} join unavailable 3 never 2026-11-20 18:00:05 UTC" in " ".join(done.stdout.split())
    assert json_of(gruppetto(sync, "sync", "errors", "--json")) == {
        "errors": [sync.answers["/errors"].errors[0].model_dump(mode="json")]  # type: ignore[attr-defined]
    }


def test_a_fetch_is_asked_for_of_one_or_of_all(sync: FakeSync) -> None:
    assert gruppetto(sync, "sync", "request", str(UUID(int=7))).output == "2 jobs opened\n"
    assert gruppetto(sync, "sync", "request", "--all").output == "2 jobs opened\n"
    assert sync.calls == [f"POST /syncs?user_id={UUID(int=7)}", "POST /syncs"]


@pytest.mark.parametrize("words", [(), (str(UUID(int=7)), "--all"), ("somebody",)])
def test_a_fetch_of_nobody_or_of_one_and_all_is_not_asked_for(sync: FakeSync, words: tuple[str, ...]) -> None:
    assert gruppetto(sync, "sync", "request", *words).exit_code == 2
    assert sync.calls == []


def test_the_subscription_is_checked(sync: FakeSync) -> None:
    done = gruppetto(sync, "webhooks", "check")
    assert (done.exit_code, done.output) == (0, "subscribed\n")
    sync.answers["/subscription"] = SubscriptionCheck(subscribed=False, problem="Strava answered 400")
    done = gruppetto(sync, "webhooks", "check")
    assert (done.exit_code, done.output) == (1, "not subscribed: Strava answered 400\n")


def test_a_refusal_is_one_line(sync: FakeSync) -> None:
    sync.script = [refusal(409, "conflict", "WEBHOOK_URL is not set.")]
    done = gruppetto(sync, "webhooks", "check")
    assert (done.exit_code, done.output) == (1, "gruppetto: WEBHOOK_URL is not set.\n")
    done = gruppetto(sync, "sync", "status", SYNC_OPERATOR_KEY="another")
    assert done.exit_code == 1
    assert "check SYNC_OPERATOR_KEY" in done.output


def test_a_missing_setting_is_named(sync: FakeSync) -> None:
    done = gruppetto(sync, "sync", "status", SYNC_INTERNAL_URL=None)
    assert done.exit_code == 2
    assert sync.calls == []
