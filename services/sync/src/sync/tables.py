"""Rows of sync."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012


class AthleteRow(Base):
    """An athlete that we may fetch; `fetch_seq` grows with every fetch."""

    __tablename__ = "athletes"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    status: Mapped[str]  # authorized | needs_reconnect | disconnected
    permission_at: Mapped[datetime]  # of the last that auth told about the permission; what is older changes nothing
    fetch_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_synced_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class JobRow(Base):
    """One fetch to be done; open until a worker holding its lease closes it."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_open", "user_id", "kind", unique=True, postgresql_where=text("closed_at is null")),
        Index("ix_jobs_due", "priority", "not_before", postgresql_where=text("closed_at is null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("athletes.user_id", ondelete="CASCADE"))
    kind: Mapped[str]
    priority: Mapped[int]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    lease: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class ErasedUserRow(Base):
    """Somebody who was erased: nothing that is told of them late may bring them back."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]
