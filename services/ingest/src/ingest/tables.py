"""Rows of ingest."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Numeric, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(12, 2),
    }


class ActivityRow(Base):
    """The record of an activity; `version` grows with every published change."""

    __tablename__ = "activities"
    __table_args__ = (Index("ix_activities_user_id_start_at", "user_id", "start_at"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    fetch_seq: Mapped[int] = mapped_column(BigInteger)
    sport_type: Mapped[str]
    start_at: Mapped[datetime]
    local_start: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    distance_m: Mapped[Decimal]
    moving_time_s: Mapped[int]
    elapsed_time_s: Mapped[int]
    elev_gain_m: Mapped[Decimal]
    trainer: Mapped[bool]
    commute: Mapped[bool]
    manual: Mapped[bool]
    visibility: Mapped[str]
    removed_at: Mapped[datetime | None]


class RejectedRow(Base):
    """An activity that could not be recorded, and why."""

    __tablename__ = "rejected"
    __table_args__ = (Index("ix_rejected_user_id", "user_id"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    fetch_seq: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    rejected_at: Mapped[datetime]


class ListingRow(Base):
    """A complete listing of an athlete's window; what was fetched before it and comes late is out of date."""

    __tablename__ = "listings"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    fetch_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[datetime | None]  # None: from the beginning
    until: Mapped[datetime]


class ErasedUserRow(Base):
    """The id of somebody who was erased, and nothing else of them.

    Events about them may still be on their way, in a retry or among the dead letters: without the id, each of them
    would look like the first about somebody new.
    """

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


class VanishedRow(Base):
    """An activity that Strava did not show any more; what was fetched before that and comes late is out of date."""

    __tablename__ = "vanished"
    __table_args__ = (Index("ix_vanished_user_id", "user_id"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    fetch_seq: Mapped[int] = mapped_column(BigInteger)
    vanished_at: Mapped[datetime]
