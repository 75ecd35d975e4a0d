"""What organisers send to leaderboard's admin API, and what it answers."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.leaderboard_api import ApiModel, BoardMetric, StandingEntry
from shared.contracts.teams_api import TeamMode

_SPORT_TYPES = """
    AlpineSki BackcountrySki Badminton Basketball Canoeing Cricket Crossfit Dance EBikeRide Elliptical
    EMountainBikeRide Golf GravelRide Handcycle HighIntensityIntervalTraining Hike IceSkate InlineSkate Kayaking
    Kitesurf MountainBikeRide NordicSki Padel PhysicalTherapy Pickleball Pilates Racquetball Ride RockClimbing
    RollerSki Rowing Run Sail Skateboard Snowboard Snowshoe Soccer Squash StairStepper StandUpPaddling Surfing Swim
    TableTennis Tennis TrailRun Velomobile VirtualRide VirtualRow VirtualRun Volleyball Walk WeightTraining Wheelchair
    Windsurf Workout Yoga"""
#: Strava's sport types; others are stored and count nowhere.
SPORT_TYPES = frozenset(_SPORT_TYPES.split())
LONGEST_CHALLENGE_DAYS = 1_100
EARLIEST_DAY, LATEST_DAY = date(2000, 1, 1), date(2199, 12, 31)
MAX_BOARDS = 30
#: Words that addresses already have in the place of a slug.
_RESERVED_SLUGS = {"current", "me", "milestones", "p", "teams"}


def _not_reserved(slug: str) -> str:
    if slug in _RESERVED_SLUGS:
        raise ValueError(f"'{slug}' cannot be used")
    return slug


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be printable on one line")
    return name


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not a known time zone")
    return name


def _known_sport(sport_type: str) -> str:
    if sport_type not in SPORT_TYPES:
        raise ValueError(f"'{sport_type[:50]}' is not a sport type of Strava")
    return sport_type


Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=40),
    AfterValidator(_not_reserved),
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_printable)
]
Announcement = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]
SportType = Annotated[str, StringConstraints(max_length=50), AfterValidator(_known_sport)]
Day = Annotated[date, Field(ge=EARLIEST_DAY, le=LATEST_DAY)]
Points = Annotated[Decimal, Field(ge=0, le=10_000, max_digits=7, decimal_places=2)]


class Visibility(StrEnum):
    """Who sees a challenge: everybody, its participants, or organisers alone; a draft is hidden."""

    PUBLIC = "public"
    MEMBERS = "members"
    HIDDEN = "hidden"


class RequestModel(BaseModel):
    """A body of a request; a field that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PointsDefinition(RequestModel):
    """Points for each kilometre, hour, 100 m of climb or activity, by sport; a cap and a bonus for each day.

    The cap holds for the points of a day without the bonus, which every day gives on which something counts.
    """

    unit: BoardMetric
    per_unit: Mapping[SportType, Points] = Field(min_length=1, max_length=60)
    daily_cap: Points | None = None
    active_day_bonus: Points = Decimal(0)

    @model_validator(mode="after")
    def _of_figures(self) -> Self:
        if self.unit is BoardMetric.POINTS:
            raise ValueError("unit must be distance, moving_time, elevation or activities")
        return self


class BoardRules(RequestModel):
    """By what a board ranks, and over which sports; with a `threshold` it is a milestone, in the metric's unit."""

    metric: BoardMetric
    sport_types: tuple[SportType, ...] = Field(min_length=1, max_length=60)
    points: PointsDefinition | None = None
    threshold: Annotated[Decimal, Field(gt=0, le=1_000_000_000, max_digits=12, decimal_places=2)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.sport_types)) != len(self.sport_types):
            raise ValueError("sport_types names a sport twice")
        if (self.metric is BoardMetric.POINTS) != (self.points is not None):
            raise ValueError("points must be given when the metric is points, and only then")
        if self.points is not None and set(self.points.per_unit) != set(self.sport_types):
            raise ValueError("points.per_unit must name each of the sport_types, and no other")
        return self


class TeamRules(RequestModel):
    """What of its members a team has on a board; `team_best` is how many count where the mode is that."""

    team_mode: TeamMode = TeamMode.SUM
    team_best: int | None = Field(None, ge=1, le=1_000)

    @model_validator(mode="after")
    def _with_number(self) -> Self:
        if (self.team_mode is TeamMode.BEST) != (self.team_best is not None):
            raise ValueError("team_best must be given when the team_mode is best, and only then")
        return self


class BoardDefinition(BoardRules, TeamRules):
    """A board or a milestone of a challenge."""

    slug: Slug
    name: Name


class ChallengeDays(RequestModel):
    """The days of a challenge, both included."""

    first_day: Day
    last_day: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_day > self.last_day:
            raise ValueError("last_day must not be before first_day")
        if (self.last_day - self.first_day).days >= LONGEST_CHALLENGE_DAYS:
            raise ValueError(f"a challenge has at most {LONGEST_CHALLENGE_DAYS} days")
        return self


class ChallengeRules(ChallengeDays):
    """The days of a challenge, and what counts."""

    counts_manual: bool = True
    counts_trainer: bool = False
    counts_commute: bool = True


class ChallengeSettings(ChallengeRules):
    """Everything of a challenge but its boards."""

    name: Name
    time_zone: TimeZone = "Europe/Warsaw"
    visibility: Visibility = Visibility.HIDDEN
    announcement: Announcement = ""
    team_size: int = Field(5, ge=1, le=1_000)


class NewChallenge(ChallengeSettings):
    """A challenge with its boards and milestones, in their order."""

    slug: Slug
    boards: tuple[BoardDefinition, ...] = Field((), max_length=MAX_BOARDS)


class ChallengeEdit(ChallengeSettings):
    """A challenge as it shall be; `edition` is the one that the organiser saw."""

    edition: int = Field(ge=0, le=2**31 - 1)


class BoardEdit(BoardRules, TeamRules):
    """A board as it shall be; `edition` is the challenge's that the organiser saw."""

    name: Name
    position: int = Field(0, ge=0, le=1_000)
    edition: int = Field(ge=0, le=2**31 - 1)


class CloneRequest(ChallengeDays):
    """A new challenge with the boards of another one, hidden at first."""

    slug: Slug
    name: Name


class PreviewRequest(BoardRules):
    """Rules of a board to be tried; the challenge's own are those that it has, unless they are given."""

    challenge: ChallengeRules | None = None


class BoardState(ApiModel):
    """A board as organisers see it: what is shown, and by which rules it will be as soon as those are built."""

    slug: str
    name: str
    position: int
    metric: BoardMetric | None  # None: it is not shown yet
    sport_types: tuple[str, ...]
    points: PointsDefinition | None
    threshold: float | None
    team_mode: TeamMode
    team_best: int | None
    is_building: bool
    next_rules: BoardRules | None = None  # None: what is shown stays


class ChallengeState(ApiModel):
    """A challenge as organisers see it; `edition` counts their changes.

    `next_rules` are the days and what counts as soon as that is built; None when what is shown stays.
    """

    slug: str
    name: str
    first_day: date
    last_day: date
    counts_manual: bool
    counts_trainer: bool
    counts_commute: bool
    time_zone: str
    visibility: Visibility
    announcement: str
    team_size: int
    edition: int
    closed_at: datetime | None
    digest: str | None
    boards: tuple[BoardState, ...]
    next_rules: ChallengeRules | None = None


class BegunPreview(ApiModel):
    """The preview of a board that does not exist, by whose `id` it is read."""

    id: int


class Preview(ApiModel):
    """What a board would be by other rules: its first places, once it is built."""

    is_built: bool
    rows: tuple[StandingEntry, ...]


class FinalEntry(ApiModel):
    """A row of a closed challenge's board; somebody who was erased since is named by nothing but a hash."""

    board: str
    place: int
    participant: str  # SHA-256 of the user id, in hexadecimal digits
    display_name: str | None
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int
    points: float


class FinalResults(ApiModel):
    """The results of a closed challenge, whose `digest` is that of the rows as long as nobody changed them."""

    challenge: str
    closed_at: datetime
    digest: str
    is_unchanged: bool
    rows: tuple[FinalEntry, ...]


class RetentionState(ApiModel):
    """From when on activities are kept, and when those of a challenge will not be any more."""

    kept_from: datetime | None
    challenges: Mapping[str, date]
