"""Rows of auth."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012


class UserRow(Base):
    """Somebody who has connected Strava; `is_admin` is what the other services were told last."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    display_name: Mapped[str]
    status: Mapped[str]  # authorized | reauthorization_needed | disconnected
    scopes: Mapped[list[str]]
    joined_at: Mapped[datetime]
    authorized_at: Mapped[datetime]
    is_admin: Mapped[bool]
    consent_version: Mapped[str]
    consented_at: Mapped[datetime]


class TokenRow(Base):
    """The tokens of an authorized user, encrypted.

    `grant_id` is another one with each pair that Strava gives, and stays when the pair is encrypted anew;
    `lease_until` serialises refreshes.
    """

    __tablename__ = "tokens"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    access_token: Mapped[str]
    refresh_token: Mapped[str]
    expires_at: Mapped[datetime]
    refreshed_at: Mapped[datetime]
    grant_id: Mapped[UUID]
    lease_until: Mapped[datetime | None]


class AuthorizationRow(Base):
    """An authorization that went to Strava and has not come back; the row is deleted by its first use."""

    __tablename__ = "authorizations"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    consent_version: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
    return_to: Mapped[str] = mapped_column(server_default="")


class RevocationRow(Base):
    """A permission that is to be ended at Strava, with its last tokens, encrypted; without them once it is ended."""

    __tablename__ = "revocations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int] = mapped_column(BigInteger, index=True)
    access_token: Mapped[str | None]
    refresh_token: Mapped[str | None]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int]
    lease_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class DeauthorizationCheckRow(Base):
    """Strava reported that this user ended the permission, and we have not asked Strava yet whether that is so."""

    __tablename__ = "deauthorization_checks"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    reported_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int]


class AdminRow(Base):
    """An athlete who was made an admin by command; others are in ADMIN_ATHLETE_IDS."""

    __tablename__ = "admins"

    athlete_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    added_at: Mapped[datetime]


class VaultKeyRow(Base):
    """A key that this vault has had, with a text encrypted under it, by which a wrong key of the same id shows."""

    __tablename__ = "vault_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    sample: Mapped[str]
    added_at: Mapped[datetime]
