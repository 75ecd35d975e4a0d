"""Events of ingest."""

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


class ActivityRemoved(UserEvent):
    """A recorded activity is gone from Strava, or is not shown to us any more."""

    topic = "activity.removed"
    producer = "ingest"

    strava_id: int
    version: int
    reason: Literal["not_listed", "deleted", "not_found"]

    @property
    def subject(self) -> str:
        return str(self.strava_id)
