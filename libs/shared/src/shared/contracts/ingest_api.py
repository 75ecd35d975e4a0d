"""ingest's internal HTTP API: what the record knows of activities, for operators."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class RecordCounts(_Model):
    """How many activities are in which state; the last ones count among the recorded."""

    people: int
    recorded: int
    rejected: int  # they cannot be read
    private: int  # only their owners see them at Strava, and they have not chosen to have those recorded
    removed: int  # nothing but their id remains, so that nothing late brings them back
    flagged: int
    suspicious: int
    overlapping: int
    rejections: dict[str, int]  # reason -> how many, the commonest first; of everybody
    kept_from: datetime | None  # what started before is not kept
    purged_before: datetime | None  # and is deleted up to here


class ActivityVersion(_Model):
    """One version that was published of an activity."""

    version: int
    event: Literal["recorded", "revised", "removed"]
    reason: str
    changed: tuple[str, ...]
    changed_at: datetime
    message_id: UUID | None  # of the message that caused it; None: the purge, or from before that was noted


class ActivityHistory(_Model):
    """What is known of an activity, and how that came about, the latest first."""

    strava_id: int
    user_id: UUID
    state: Literal["recorded", "rejected", "private", "removed"]
    fetch_seq: int  # of the newest fetch that said something of it
    rejection: str | None
    facts: dict[str, Any] | None  # as `activity.recorded` names them; of what is recorded
    versions: tuple[ActivityVersion, ...]


class RejectedActivity(_Model):
    """An activity that cannot be recorded, with what Strava said of it."""

    strava_id: int
    user_id: UUID
    fetch_seq: int
    reason: str
    rejected_at: datetime
    fields: dict[str, Any] | None  # in Strava's words; None: from before they were kept


class RejectedPage(_Model):
    """Rejected activities by id; `next_after` is None when there are no more."""

    rejected: tuple[RejectedActivity, ...]
    next_after: int | None


class ReplayedRejections(_Model):
    """What trying the rejected ones again came to."""

    tried: int
    accepted: int


class PurgeReport(_Model):
    """What is deleted, or would be, because it started before what is kept."""

    before: datetime | None  # None: nobody has said that anything is not kept
    recorded: int
    rejected: int
    private: int
    removed: int
