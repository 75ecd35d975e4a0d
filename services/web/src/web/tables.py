"""What web keeps: sessions, and challenges and boards as last seen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    """Every table of this service."""

    metadata = service_metadata()
    type_annotation_map = {datetime: DateTime(timezone=True), str: Text}  # noqa: RUF012 -- SQLAlchemy's own attribute


class SessionRow(Base):
    """Somebody signed in on one browser; the id itself is only in their cookie."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("strava in ('connected', 'lost', 'disconnected')", name="strava"),)

    id_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True)
    display_name: Mapped[str]
    named_at: Mapped[datetime] = mapped_column(server_default=func.now())  # when `display_name` was so
    is_admin: Mapped[bool]
    admin_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    strava: Mapped[str] = mapped_column(server_default="connected")  # or "lost", or "disconnected" by themselves
    strava_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class SnapshotRow(Base):
    """What the leaderboard service last gave, for when that service is away: the list of challenges, or a board."""

    __tablename__ = "snapshots"

    name: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    saved_at: Mapped[datetime] = mapped_column(server_default=func.now())
