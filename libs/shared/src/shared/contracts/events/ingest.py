"""Events of ingest: the record of activities, which other systems may build on; see `docs/activities.md`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.events.base import UserEvent


class ActivityState(UserEvent):
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
    flagged: bool = False  # by Strava, which doubts it
    suspicions: tuple[str, ...] = ()  # what about it is hard to believe: impossible_speed, absurd_distance, …
    overlaps_with: tuple[int, ...] = ()  # activities of the same user in the same time, who name this one, too
    changed: tuple[str, ...] = ()  # the fields that differ from the version before; of activity.revised only

    @property
    def subject(self) -> str:
        return str(self.strava_id)


class ActivityRecorded(ActivityState):
    """An activity that was not known, or had been removed, is now on record."""

    topic = "activity.recorded"
    producer = "ingest"


class ActivityRevised(ActivityState):
    """A recorded activity changed on Strava, overlaps others than before, or its athlete is another user now."""

    topic = "activity.revised"
    producer = "ingest"


class ActivityRemoved(UserEvent):
    """A recorded activity is not on record any more.

    It is gone from Strava, is not shown to us, became unreadable, is private and its owner has not chosen to have
    those recorded, or was moved to before what is kept.
    """

    topic = "activity.removed"
    producer = "ingest"

    strava_id: int
    version: int
    reason: Literal["not_listed", "deleted", "not_found", "unreadable", "private", "expired"]

    @property
    def subject(self) -> str:
        return str(self.strava_id)
