"""leaderboard's API for organisers, as their panel, programs with an API key, and operators use it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Scope(StrEnum):
    """What an API key may be allowed; an organiser in the panel may everything."""

    READ = "read"  # what is hidden from strangers
    CHALLENGES = "challenges"
    PEOPLE = "people"  # participants and their activities
    TEAMS = "teams"
    SYNC = "sync"
    KEYS = "keys"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class NewApiKey(BaseModel):
    """The key that is wanted."""

    model_config = ConfigDict(
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"name": "Results page", "scopes": ["read", "challenges"]}]},
    )

    name: str = Field(min_length=1, max_length=80)
    scopes: set[Scope] = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _readable(cls, value: str) -> str:
        value = value.strip()
        if not value or not value.isprintable():
            raise ValueError("a name has letters, and no control characters")
        return value


class ApiKeyInfo(_Model):
    """An API key without its secret."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class ApiKeyList(_Model):
    """All API keys, the latest first; those that were revoked too."""

    keys: tuple[ApiKeyInfo, ...]


class CreatedApiKey(_Model):
    """A new API key. `key` goes into the header `Authorization: Bearer`, and is never shown again."""

    info: ApiKeyInfo
    key: str


class AuditEntry(_Model):
    """What an organiser, an API key or an operator did."""

    id: int
    at: datetime
    actor: str
    actor_id: UUID | None  # of a user who is still here
    action: str  # a noun and a verb, as "team.renamed"
    subject: str  # the slug or id of what it was done to
    details: dict[str, Any]  # values before and after


class AuditPage(_Model):
    """Entries of the audit log, the latest first; `next_before_id` is None when there are no more."""

    entries: tuple[AuditEntry, ...]
    next_before_id: int | None


class ParticipantSync(_Model):
    """How fetching goes for a participant."""

    status: Literal["ok", "failing", "needs_reconnection"]
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    last_outcome: Literal["succeeded", "failed"] | None
    last_error_class: str | None  # of the last failure, however long ago
    failures_in_row: int
    reconnection_reason: Literal["refresh_refused", "disconnected"] | None  # None: they are connected
    requests_used_last: int | None  # calls to Strava that the last attempt took


class ParticipantInfo(_Model):
    """Somebody who takes part. Whoever is hidden is on no board, by their own choice or an organiser's."""

    user_id: UUID
    display_name: str
    joined_at: datetime
    hidden_by_participant: bool
    hidden_by_organiser: bool
    sync: ParticipantSync


class ParticipantPage(_Model):
    """Participants by name; `next_after` is None when there are no more."""

    participants: tuple[ParticipantInfo, ...]
    next_after: str | None


class WantedSync(BaseModel):
    """Whose activities are wanted."""

    model_config = ConfigDict(
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"user_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, {"user_id": None}]},
    )

    user_id: UUID | None  # None: everybody's


class RequestedSync(_Model):
    """What sync was asked to fetch: a participant's activities, or with None everybody's."""

    user_id: UUID | None
    requested_at: datetime


class SyncFailure(_Model):
    """The last fetch of a user that failed; the error is a code, without anything about the person."""

    user_id: UUID
    error_class: str | None
    failed_at: datetime
    failures_in_row: int  # 0: one has succeeded since


class SyncFailures(_Model):
    """The latest first."""

    failures: tuple[SyncFailure, ...]


class StandingsState(_Model):
    """How many versions of boards and milestones are shown, being computed, and to be deleted; and who waits.

    `last_drift` is how many totals differed from what the activities give at the last check; None without one.
    """

    live: int
    building: int
    retired: int
    recalculations: int
    last_drift: int | None
