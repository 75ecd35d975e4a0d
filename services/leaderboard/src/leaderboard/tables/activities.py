"""Rows about activities, and what was chosen about them."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Numeric, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.tables.base import Base


class ActivityRow(Base):
    """An activity as ingest last published it, in ingest's `version`; one that was only removed has the defaults."""

    __tablename__ = "activities"
    __table_args__ = (
        Index("ix_activities_user_id_local_start", "user_id", "local_start"),
        Index("ix_activities_user_id_start_at", "user_id", "start_at"),
        Index(
            "ix_activities_newest",
            "local_start",
            "strava_id",
            postgresql_where=text("not removed and not private"),
        ),
        Index(
            "ix_activities_suspicious",
            "local_start",
            "strava_id",
            postgresql_where=text("not removed and not private and suspicions <> '{}'"),
        ),
        Index("ix_activities_long", "user_id", "start_at", postgresql_where=text("elapsed_time_s > 86400")),
    )

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[bool]
    sport_type: Mapped[str] = mapped_column(server_default="Unknown")
    start_at: Mapped[datetime] = mapped_column(server_default="epoch")
    local_start: Mapped[datetime] = mapped_column(DateTime(timezone=False), server_default="epoch")
    distance_m: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
    moving_time_s: Mapped[int] = mapped_column(server_default="0")
    elapsed_time_s: Mapped[int] = mapped_column(server_default="0")
    elev_gain_m: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
    trainer: Mapped[bool] = mapped_column(server_default=false())
    commute: Mapped[bool] = mapped_column(server_default=false())
    manual: Mapped[bool] = mapped_column(server_default=false())
    flagged: Mapped[bool] = mapped_column(server_default=false())
    private: Mapped[bool] = mapped_column(server_default=false())
    suspicions: Mapped[list[str]] = mapped_column(server_default="{}")


class ExclusionRow(Base):
    """An activity that counts nowhere, because its owner or an organiser said so; it stays so when it is revised."""

    __tablename__ = "exclusions"
    __table_args__ = (CheckConstraint("excluded_by in ('participant', 'organiser')", name="excluded_by"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    excluded_by: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True)  # the owner
    reason: Mapped[str] = mapped_column(server_default="")
    excluded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PreferredActivityRow(Base):
    """An activity that its owner wants to count, of those that it overlaps."""

    __tablename__ = "preferred_activities"

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(index=True)
    preferred_at: Mapped[datetime] = mapped_column(server_default=func.now())
