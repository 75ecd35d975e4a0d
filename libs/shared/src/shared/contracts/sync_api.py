"""sync's internal HTTP API: how fetching goes, for organisers and operators. Never a name, a token or an activity."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class WindowStatus(_Model):
    """The calls of the present quarter hour or day, as far as they are known."""

    starts_at: datetime
    ends_at: datetime
    limit: int  # calls that Strava allows: reads, or all calls if those are fewer
    used: int
    left: int
    left_by_kind: dict[str, int]  # kind of job -> what it may use now; the rest is kept for more urgent ones


class BudgetStatus(_Model):
    """What Strava allows, and whether anything went against it."""

    quarter: WindowStatus
    day: WindowStatus
    inactive_since: datetime | None  # Strava says that the application is inactive, and nothing is fetched
    last_unforeseen_refusal_at: datetime | None  # of a 429 that the budget did not foresee


class QueueStatus(_Model):
    """The open jobs of one kind."""

    kind: str
    waiting: int  # not due yet
    due: int  # due, and waiting for calls or a worker
    running: int
    next_at: datetime | None  # when the next one is due that waits


class WebhookStatus(_Model):
    """The subscription at Strava; without one, changes are found at night."""

    subscribed: bool
    checked_at: datetime | None
    problem: str | None
    last_event_at: datetime | None
    pending_events: int
    missed_until: datetime | None  # until then events may have been missed; listings since then show them


class NightlyRunStatus(_Model):
    """The run of one local date."""

    local_date: date
    started_at: datetime
    finished_at: datetime | None
    athletes: int  # for how many a job was opened
    succeeded: int
    failed: int
    open: int


class SyncStatus(_Model):
    """How fetching goes altogether."""

    athletes: dict[str, int]  # status -> how many
    oldest_listing_at: datetime | None  # of who may be fetched: what changed since may be unknown
    never_listed: int
    needed_since: datetime | None  # activities before it count nowhere; None: not told, or nothing counts
    budget: BudgetStatus
    queues: tuple[QueueStatus, ...]
    webhooks: WebhookStatus
    nightly_runs: tuple[NightlyRunStatus, ...]  # the latest first


class AthleteStatus(_Model):
    """How fetching goes for one athlete."""

    user_id: UUID
    status: Literal["authorized", "needs_reconnect", "disconnected"]
    last_synced_at: datetime | None  # when the last complete listing began
    last_fetched_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    open_jobs: tuple[str, ...]
    next_sync_at: datetime | None  # of the job that is due first


class AthletePage(_Model):
    """Athletes by user id; `next_after` is None when there are no more."""

    athletes: tuple[AthleteStatus, ...]
    next_after: UUID | None


class SyncError(_Model):
    """A job that failed, or fails and is tried again; the error is a code, without anything about the person."""

    user_id: UUID
    kind: str
    error: str
    attempts: int
    failed_at: datetime | None  # None while it is tried again
    next_at: datetime | None


class SyncErrors(_Model):
    """The latest first."""

    errors: tuple[SyncError, ...]


class OpenedJobs(_Model):
    """How many jobs a request has opened; who has one open already gets no other."""

    opened: int


class SubscriptionCheck(_Model):
    """What a check of the subscription has found, after it was repaired where that was possible."""

    subscribed: bool
    problem: str | None
