"""Rows of auth."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    display_name: Mapped[str]
    joined_at: Mapped[datetime]
    is_admin: Mapped[bool]
    consent_version: Mapped[str]
    consented_at: Mapped[datetime]


class TokenRow(Base):
    """The tokens, encrypted; `lease_until` serialises refreshes of one athlete."""

    __tablename__ = "tokens"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    access_token: Mapped[str]
    refresh_token: Mapped[str]
    expires_at: Mapped[datetime]
    scopes: Mapped[list[str]]
    lease_until: Mapped[datetime | None]
