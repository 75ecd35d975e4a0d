"""What leaderboard and auth answer, as far as web reads it."""

from datetime import date, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Metric: TypeAlias = Literal["distance", "moving_time", "elevation", "activities"]


class Contract(BaseModel):
    """An answer of another service; what it adds later is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Board(Contract):
    """One ranking of a challenge."""

    slug: str
    name: str
    metric: Metric


class Challenge(Contract):
    """A challenge and its boards."""

    slug: str
    name: str
    first_day: date
    last_day: date
    time_zone: str
    visibility: str
    boards: tuple[Board, ...]


class Place(Contract):
    """One line of a board."""

    place: int
    user_id: UUID
    display_name: str
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int


class Standings(Contract):
    """A board at one moment."""

    challenge: Challenge
    board: Board
    revision: int
    as_of: datetime
    rows: tuple[Place, ...]


class AuthorizeUrl(Contract):
    """Where a browser goes to say yes at Strava."""

    url: str


class SignedIn(Contract):
    """Who came back from Strava."""

    user_id: UUID
    display_name: str
    is_admin: bool
