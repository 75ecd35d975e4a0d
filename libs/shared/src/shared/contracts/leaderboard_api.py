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
    """One line of a board; ties share a place.

    `points` are 0 where the board has none. `movement` is how many places were won since the local day began; None
    when that is not known, and for a range of days.
    """

    place: int
    user_id: UUID
    display_name: str
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int
    points: float = 0
    movement: int | None = None


class BoardStandings(ApiModel):
    """A board at one moment; `revision` grows with every change of the challenge's standings.

    `participants` are listed on it, whichever of them are asked for. The days are those of a range; None without one.
    """

    challenge: ChallengeInfo
    board: BoardInfo
    revision: int
    as_of: datetime
    participants: int = 0
    first_day: date | None = None
    last_day: date | None = None
    rows: tuple[StandingEntry, ...]
