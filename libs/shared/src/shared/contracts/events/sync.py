"""Events of sync."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.events.base import Event, UserEvent


class FetchedActivity(BaseModel):
    """One activity as Strava gives it, in Strava's words: only the fields that Gruppetto needs.

    Whatever Strava left out stays None; `ingest` decides what that means.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: int
    sport_type: str | None = None
    type: str | None = None
    start_date: str | None = None
    start_date_local: str | None = None
    timezone: str | None = None
    utc_offset: float | None = None  # seconds
    distance: float | None = None  # metres
    moving_time: float | None = None  # seconds
    elapsed_time: float | None = None  # seconds
    total_elevation_gain: float | None = None  # metres
    trainer: bool | None = None
    commute: bool | None = None
    manual: bool | None = None
    private: bool | None = None
    flagged: bool | None = None  # Strava doubts it
    visibility: str | None = None
    malformed: tuple[str, ...] = ()  # fields that Strava sent in another type than it documents; they are None here


class ActivityFetched(UserEvent):
    """Activities of one athlete as Strava gave them at one moment: a page of a listing, or a single one.

    `fetch_seq` grows with every fetch, of whomever, so that of two versions of an activity the later fetched one
    wins, in whatever order they arrive.
    """

    topic = "activity.fetched"
    producer = "sync"
    schema_version = 2

    athlete_id: int
    fetch_seq: int
    fetched_at: datetime
    activities: tuple[FetchedActivity, ...]


class ActivityVanished(UserEvent):
    """Strava does not show us an activity any more, or never did: it was deleted, hidden, or is not readable."""

    topic = "activity.vanished"
    producer = "sync"

    strava_id: int
    fetch_seq: int
    reason: Literal["deleted", "not_found"]  # as Strava reported it, or as asking for it showed

    @property
    def subject(self) -> str:
        return str(self.strava_id)


class AthleteListed(UserEvent):
    """A complete listing of the window [after, before]: what it does not name is not on Strava any more.

    `after` None means from the beginning.
    """

    topic = "athlete.listed"
    producer = "sync"

    fetch_seq: int
    after: datetime | None
    before: datetime
    strava_ids: tuple[int, ...]


class SyncFinished(UserEvent):
    """A fetch of one athlete ended, well or badly."""

    topic = "sync.finished"
    producer = "sync"

    reason: Literal["join", "nightly", "manual", "webhook"]
    outcome: Literal["succeeded", "failed"]
    activities: int
    requests_used: int
    started_at: datetime
    finished_at: datetime
    error_class: str | None = None


class JobReleased(Event):
    """A job may be run now, within the budget of calls; for sync's own workers, who share the queue."""

    topic = "job.released"
    producer = "sync"

    job_id: int
    kind: Literal["join", "nightly", "manual", "webhook"]
    released_at: datetime

    @property
    def subject(self) -> str:
        return str(self.job_id)


class StravaDeauthorizationReported(Event):
    """Strava reported that an athlete ended the permission; auth makes sure before anything is deleted."""

    topic = "strava.deauthorization_reported"
    producer = "sync"

    athlete_id: int
    event_time: datetime

    @property
    def subject(self) -> str:
        return str(self.athlete_id)
