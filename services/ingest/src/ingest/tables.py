"""Rows of ingest."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Numeric,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata

#: Which rows can overlap others, and which of them may do so for longer than a day; see `recording.rules.overlaps`.
OVERLAPPABLE = "state = 'recorded' and not start_is_hidden and elapsed_time_s > 180"
LASTS_DAYS = f"{OVERLAPPABLE} and elapsed_time_s > 86400"


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(12, 2),
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
    }


class ActivityRow(Base):
    """The newest that Strava said of an activity, and the version that was published of it.

    Only what is recorded has facts. Of what is private or gone the row remains without them, so that nothing older
    that comes late brings it back; `seen_at` is when that was stored. `version` is None until something is published;
    `message_id`, `changed_at`, `reason` and `changed` say what caused it.
    """

    __tablename__ = "activities"
    __table_args__ = (
        CheckConstraint("state in ('recorded', 'rejected', 'private', 'removed')", name="state"),
        CheckConstraint("(state = 'recorded') = (start_at is not null)", name="facts"),
        Index("ix_activities_user_id_start_at", "user_id", "start_at"),
        Index("ix_activities_overlappable", "user_id", "start_at", "strava_id", postgresql_where=text(OVERLAPPABLE)),
        Index("ix_activities_lasts_days", "user_id", "start_at", "strava_id", postgresql_where=text(LASTS_DAYS)),
    )

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    fetch_seq: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    version: Mapped[int | None] = mapped_column(BigInteger)
    message_id: Mapped[UUID | None]
    seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    reason: Mapped[str]
    changed: Mapped[list[str]] = mapped_column(server_default="{}")
    overlaps_with: Mapped[list[int]] = mapped_column(server_default="{}")
    sport_type: Mapped[str | None]
    start_at: Mapped[datetime | None]
    local_start: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    distance_m: Mapped[Decimal | None]
    moving_time_s: Mapped[int | None]
    elapsed_time_s: Mapped[int | None]
    elev_gain_m: Mapped[Decimal | None]
    trainer: Mapped[bool | None]
    commute: Mapped[bool | None]
    manual: Mapped[bool | None]
    flagged: Mapped[bool | None]
    visibility: Mapped[str | None]
    suspicions: Mapped[list[str] | None]
    start_is_hidden: Mapped[bool | None] = mapped_column(
        Computed("local_start::time = '00:00:01'::time", persisted=True)
    )


class ActivityVersionRow(Base):
    """A version of an activity that is not the newest any more: what caused it, without facts."""

    __tablename__ = "activity_versions"

    strava_id: Mapped[int] = mapped_column(
        ForeignKey("activities.strava_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    state: Mapped[str]
    message_id: Mapped[UUID | None]
    changed_at: Mapped[datetime]
    reason: Mapped[str]
    changed: Mapped[list[str]]


class RejectedRow(Base):
    """An activity that could not be recorded, why, and what Strava said, so that it can be tried again."""

    __tablename__ = "rejected"
    __table_args__ = (Index("ix_rejected_user_id", "user_id"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    fetch_seq: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    rejected_at: Mapped[datetime]
    fetched_at: Mapped[datetime | None]
    start_at: Mapped[datetime | None]  # as far as it is known
    fields: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # a FetchedActivity


class ListingRow(Base):
    """A complete listing of an athlete's window; what was fetched before it and comes late is out of date."""

    __tablename__ = "listings"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    fetch_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[datetime | None]  # None: from the beginning
    until: Mapped[datetime]


class PersonRow(Base):
    """What somebody chose, or that they were erased, of whom nothing else remains then.

    Events about them may still be on their way, in a retry or among the dead letters: without the id, each of them
    would look like the first about somebody new.
    """

    __tablename__ = "people"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    private_activities: Mapped[bool] = mapped_column(server_default=false())  # whether they are recorded
    chosen_at: Mapped[datetime] = mapped_column(server_default=text("'-infinity'"))
    erased_at: Mapped[datetime | None]


class RetentionRow(Base):
    """The one row about what is not kept any more; `purged_before` is up to when everything of that is deleted."""

    __tablename__ = "retention"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before: Mapped[datetime]
    advanced_at: Mapped[datetime]
    purged_before: Mapped[datetime | None]
