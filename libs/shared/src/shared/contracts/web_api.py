"""web's internal HTTP API, on INTERNAL_PORT: what operators send and read."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Session(_Model):
    """Somebody signed in in one browser. `id` names the session; it does not open it. Times are in UTC."""

    id: str  # the beginning of the hash that the database stores, in hex
    user_id: UUID
    created_at: datetime
    last_seen_at: datetime


class SessionList(_Model):
    """The sessions of one user, the latest first."""

    sessions: tuple[Session, ...]


class RevokedSessions(_Model):
    """How many sessions were ended."""

    revoked: int
