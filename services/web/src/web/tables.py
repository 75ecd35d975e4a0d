"""What web keeps: sessions, and the boards as last seen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, LargeBinary, Text, func
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

    id_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True)
    display_name: Mapped[str]
    named_at: Mapped[datetime] = mapped_column(server_default=func.now())  # when `display_name` was so
    is_admin: Mapped[bool]
    admin_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class BoardSnapshotRow(Base):
    """A board as the leaderboard service last gave it, for when that service is away."""

    __tablename__ = "board_snapshots"

    challenge: Mapped[str] = mapped_column(primary_key=True)
    board: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    as_of: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    saved_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
