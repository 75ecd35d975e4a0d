"""Every contract that crosses services: facts in the past tense, requests in the imperative.

An event carries what its consumers need, so that none of them calls back. A change is additive or a new version
of the topic. Never a token, never a raw Strava payload, never an e-mail address.
"""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """A fact for the bus; the class names its topic (`noun.verb-ed`), its producer and its schema version."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    topic: ClassVar[str]
    producer: ClassVar[str]
    schema_version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        """The aggregate that the event is about."""
        raise NotImplementedError

    @classmethod
    def routing_key(cls) -> str:
        """`activity.recorded.v1`: never with an id in it, because metrics use it as a label."""
        return f"{cls.topic}.v{cls.schema_version}"

    @classmethod
    def event_type(cls) -> str:
        """The CloudEvents type."""
        return f"gruppetto.{cls.routing_key()}"


class _AboutUser(Event):
    user_id: UUID

    @property
    def subject(self) -> str:
        return str(self.user_id)


class UserAuthorized(_AboutUser):
    """Somebody consented and connected Strava, for the first time or again."""

    topic = "user.authorized"
    producer = "auth"

    athlete_id: int
    display_name: str
    scopes: tuple[str, ...]
    is_admin: bool
    consent_version: str
    authorized_at: datetime
    first_time: bool


class ActivityFetched(_AboutUser):
    """One activity as Strava listed it, in Strava's words: only the fields that Gruppetto needs.

    Whatever Strava left out stays None; `ingest` decides what that means. `fetch_seq` grows with every fetch,
    of whomever, so that of two versions the later fetched one wins, in whatever order they arrive.
    """

    topic = "activity.fetched"
    producer = "sync"

    athlete_id: int
    fetch_seq: int
    fetched_at: datetime
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
    visibility: str | None = None
    malformed: tuple[str, ...] = ()  # fields that Strava sent in another type than it documents; they are None here

    @property
    def subject(self) -> str:
        return str(self.id)


class AthleteListed(_AboutUser):
    """A complete listing of the window [after, before]: what it does not name is not on Strava any more.

    `after` None means from the beginning.
    """

    topic = "athlete.listed"
    producer = "sync"

    fetch_seq: int
    after: datetime | None
    before: datetime
    strava_ids: tuple[int, ...]


class SyncFinished(_AboutUser):
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


class ActivityState(_AboutUser):
    """The canonical fields of an activity, as `activity.recorded` and `activity.revised` carry them."""

    strava_id: int
    version: int
    reason: Literal["fetched", "restored"]
    sport_type: str
    start_at: datetime
    local_start: datetime  # wall clock where it took place, without a zone
    distance_m: float = Field(ge=0)
    moving_time_s: int = Field(ge=0)
    elapsed_time_s: int = Field(ge=0)
    elev_gain_m: float = Field(ge=0)
    trainer: bool
    commute: bool
    manual: bool
    visibility: str

    @property
    def subject(self) -> str:
        return str(self.strava_id)


class ActivityRecorded(ActivityState):
    """An activity that was not known, or had been removed, is now on record."""

    topic = "activity.recorded"
    producer = "ingest"


class ActivityRevised(ActivityState):
    """A recorded activity changed on Strava, or its athlete is another user now."""

    topic = "activity.revised"
    producer = "ingest"


class ActivityRemoved(_AboutUser):
    """A recorded activity is gone from Strava, or is not shown to us any more."""

    topic = "activity.removed"
    producer = "ingest"

    strava_id: int
    version: int
    reason: Literal["not_listed", "deleted", "not_found"]

    @property
    def subject(self) -> str:
        return str(self.strava_id)


class StandingsChanged(Event):
    """The boards named have new standings; `revision` grows with every change of the challenge's standings."""

    topic = "standings.changed"
    producer = "leaderboard"

    challenge: str
    boards: tuple[str, ...]
    revision: int
    first_day: date
    last_day: date

    @property
    def subject(self) -> str:
        return self.challenge


EVENTS: tuple[type[Event], ...] = (
    UserAuthorized,
    ActivityFetched,
    AthleteListed,
    SyncFinished,
    ActivityRecorded,
    ActivityRevised,
    ActivityRemoved,
    StandingsChanged,
)
