"""What leaderboard's internal HTTP API answers, as leaderboard writes it and web reads it."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class BoardMetric(StrEnum):
    """What a board ranks by."""

    DISTANCE = "distance"  # metres
    MOVING_TIME = "moving_time"  # seconds
    ELEVATION = "elevation"  # metres
    ACTIVITIES = "activities"
    POINTS = "points"


class ApiModel(BaseModel):
    """An answer of an internal API; readers ignore fields that are added later."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BoardInfo(ApiModel):
    """One ranking of a challenge."""

    slug: str
    name: str
    metric: BoardMetric


class ChallengeInfo(ApiModel):
    """A challenge and its boards, from the first to the last local day in `time_zone`."""

    slug: str
    name: str
    first_day: date
    last_day: date
    time_zone: str
    visibility: str
    boards: tuple[BoardInfo, ...]


class StandingEntry(ApiModel):
    """One line of a board; ties share a place."""

    place: int
    user_id: UUID
    display_name: str
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int


class BoardStandings(ApiModel):
    """A board at one moment; `revision` grows with every change of the challenge's standings."""

    challenge: ChallengeInfo
    board: BoardInfo
    revision: int
    as_of: datetime
    rows: tuple[StandingEntry, ...]
