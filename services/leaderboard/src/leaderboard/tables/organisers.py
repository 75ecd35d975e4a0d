"""Rows about what organisers and their programs do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.tables.base import Base


class AuditEntryRow(Base):
    """What an organiser changed; it says nothing of people but ids, and forgets those of who is erased."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    actor_id: Mapped[UUID | None] = mapped_column(index=True)  # None: an API key, or somebody who was erased
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    details: Mapped[dict[str, Any]]


class ApiKeyRow(Base):
    """A key of a program; its secret is not here, and its name is never given again.

    `requests` counts those since `window_start`.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    folded_name: Mapped[str] = mapped_column(unique=True)
    key_hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    window_start: Mapped[datetime | None]
    requests: Mapped[int] = mapped_column(BigInteger, server_default="0")
