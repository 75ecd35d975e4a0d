"""Rows of sync."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012


class AthleteRow(Base):
    """An athlete that we may fetch; `fetch_seq` grows with every fetch."""

    __tablename__ = "athletes"
    __table_args__ = (Index("ix_athletes_last_synced_at", "last_synced_at"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    status: Mapped[str]  # authorized | needs_reconnect | disconnected
    permission_at: Mapped[datetime]  # of the last that auth told about the permission; what is older changes nothing
    fetch_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_synced_at: Mapped[datetime | None]  # when the last complete listing began
    listed_since: Mapped[datetime | None]  # from when on that listing is complete
    last_fetched_at: Mapped[datetime | None]  # when anything was fetched last
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]


class JobRow(Base):
    """One fetch to be done; open until a worker holding its lease closes it."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_open", "user_id", "kind", unique=True, postgresql_where=text("closed_at is null")),
        Index("ix_jobs_due", "priority", "not_before", postgresql_where=text("closed_at is null")),
        Index("ix_jobs_user_id", "user_id"),
        Index("ix_jobs_closed_at", "closed_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("athletes.user_id", ondelete="CASCADE"))
    kind: Mapped[str]
    priority: Mapped[int]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    lease: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    released_at: Mapped[datetime | None]  # when the dispatcher told the workers
    opened_at: Mapped[datetime]
    started_at: Mapped[datetime | None]  # when it was first claimed
    listing: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )  # how far it has got, for whoever goes on with it
    listed_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    requests: Mapped[int] = mapped_column(server_default="0")  # calls to Strava so far
    activities: Mapped[int] = mapped_column(server_default="0")  # published so far
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[str | None]  # why the last attempt failed, as a code


class ErasedUserRow(Base):
    """Somebody who was erased: nothing that is told of them late may bring them back."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


class BudgetRow(Base):
    """The calls of one window: of the present quarter hour, or of the present UTC day."""

    __tablename__ = "budget"

    name: Mapped[str] = mapped_column(primary_key=True)  # quarter | day
    starts_at: Mapped[datetime]
    overall_limit: Mapped[int]
    overall_used: Mapped[int]
    read_limit: Mapped[int]
    read_used: Mapped[int]


class StravaApplicationRow(Base):
    """The one row about our application at Strava."""

    __tablename__ = "strava_application"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    inactive_since: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]  # when a 429 came last that the budget did not foresee
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    subscription_checked_at: Mapped[datetime | None]
    subscription_problem: Mapped[str | None]
    listening_at: Mapped[datetime | None]  # when a receiver of webhooks was last known to run
    gap_ended_at: Mapped[datetime | None]  # until when events may have been missed; listings before it do not count


class WebhookEventRow(Base):
    """A change of an activity that Strava told of; kept for some days after it was handled, for duplicates."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("uq_webhook_events_change", "strava_id", "aspect", "event_time", unique=True),
        Index("ix_webhook_events_pending", "athlete_id", postgresql_where=text("handled_at is null")),
        Index("ix_webhook_events_handled_at", "handled_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger)
    strava_id: Mapped[int] = mapped_column(BigInteger)
    aspect: Mapped[str]  # create | update | delete
    event_time: Mapped[int] = mapped_column(BigInteger)  # epoch seconds
    received_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")  # how often the activity could not be read
    handled_at: Mapped[datetime | None]


class NightlyRunRow(Base):
    """The run of one local date."""

    __tablename__ = "nightly_runs"

    local_date: Mapped[date] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    athletes: Mapped[int]  # for how many a job was opened
    webhooks_healthy: Mapped[bool]
    finished_at: Mapped[datetime | None]


class FetchWindowRow(Base):
    """The one row about which activities a challenge needs."""

    __tablename__ = "fetch_window"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime | None]  # None: no challenge needs any
    changed_at: Mapped[datetime]
