"""What leaderboard's internal HTTP API takes and answers, as leaderboard and web both read it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

#: A time where something took place, without a zone.
WallClock = Annotated[
    datetime, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$"})
]


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
    """A challenge and its boards, from the first to the last local day in `time_zone`.

    `team_size` is how many people each of its teams takes, `milestones` how many are shown.
    """

    slug: str
    name: str
    first_day: date
    last_day: date
    time_zone: str
    visibility: str
    boards: tuple[BoardInfo, ...]
    announcement: str = ""  # of the organisers
    closed_at: datetime | None = None  # since then the results are final
    team_size: int = 0
    milestones: int = 0


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
    team_id: int | None = None
    team_name: str | None = None


class BoardStandings(ApiModel):
    """A board at one moment; `revision` grows with every change of the challenge's standings.

    `participants` are listed on it, whichever of them are asked for. `offset` rows of it are before the first one in
    `rows`; 0 where a text is searched. The days are those of a range; None without one.
    """

    challenge: ChallengeInfo
    board: BoardInfo
    revision: int
    as_of: datetime
    participants: int = 0
    first_day: date | None = None
    last_day: date | None = None
    offset: int = 0
    rows: tuple[StandingEntry, ...]


class MilestoneProgress(ApiModel):
    """How far somebody is, in the metric's unit, and when they were there."""

    value: float
    reached_at: datetime | None


class MilestoneInfo(ApiModel):
    """A threshold in the metric's unit (metres, seconds, activities or points); `own` is the viewer's part."""

    slug: str
    name: str
    metric: BoardMetric
    threshold: float
    reached: int
    own: MilestoneProgress | None


class MilestoneEntry(ApiModel):
    """Somebody who reached a milestone."""

    user_id: UUID
    display_name: str
    reached_at: datetime


class MilestonePage(ApiModel):
    """Who reached a milestone, in order."""

    milestone: MilestoneInfo
    rows: tuple[MilestoneEntry, ...]


class BoardVerdict(ApiModel):
    """Why an activity counts on a board or does not.

    What counts has a `value` in the board's metric, on a board of points as `units` times `points_per_unit`. What
    does not has a `reason` and a sentence; a duplicate also the activity that counts in its place.
    """

    board: str
    counts: bool
    value: float | None = None
    units: float | None = None
    points_per_unit: float | None = None
    reason: str | None = None
    message: str | None = None
    duplicate_of: int | None = None


class ActivityVerdicts(ApiModel):
    """An activity, what was chosen about it, and what came of that on each board."""

    strava_id: int
    sport_type: str
    local_start: WallClock
    distance_m: float
    moving_time_s: int
    elapsed_time_s: int
    elev_gain_m: float
    trainer: bool
    commute: bool
    manual: bool
    flagged: bool
    private: bool
    preferred: bool
    excluded_by_participant: bool
    excluded_by_organiser: bool
    exclusion_reason: str | None  # of the organiser
    overlaps_with: tuple[int, ...]  # at most ten that share more than three minutes with it
    boards: tuple[BoardVerdict, ...]


class DayPoints(ApiModel):
    """The points of a day: what counted, at most the cap, and the bonus for an active day."""

    board: str
    day: date
    counted: float
    daily_cap: float | None
    bonus: float
    points: float


class PrivateSum(ApiModel):
    """What the private activities of a page add up to on a board, for those who may not see them."""

    board: str
    activities: int
    value: float


class VerdictPage(ApiModel):
    """Whole days of a participant's activities, the latest first; the next page goes on at `next_until`."""

    activities: tuple[ActivityVerdicts, ...]
    points: tuple[DayPoints, ...]
    private: tuple[PrivateSum, ...]
    next_until: date | None


def _of_an_activity(place: str) -> str:
    parse_activity_place(place)
    return place


#: When an activity started where it took place, and its Strava id.
ActivityPlace = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?_\d{1,19}$", max_length=46),
    AfterValidator(_of_an_activity),
]


def format_activity_place(start: datetime, strava_id: int) -> str:
    """That an activity started then, and its id, as `parse_activity_place` reads it."""
    return f"{start.isoformat()}_{strava_id}"


def parse_activity_place(place: str) -> tuple[datetime, int]:
    """When it started, and its id. Raises ValueError."""
    start, _, strava_id = place.partition("_")
    if int(strava_id) >= 2**63:
        raise ValueError("there is no such id")
    return datetime.fromisoformat(start), int(strava_id)


class ActivitySearch(BaseModel):
    """Which activities an organiser looks for: those to which all that is given applies.

    `after` is the `next_after` of the page before.
    """

    user_id: UUID | None = None
    sport_type: str | None = Field(None, max_length=100)
    first_day: date = date(1, 1, 1)
    last_day: date = Field(date(9999, 12, 30), le=date(9999, 12, 30))
    suspicious: bool | None = None  # whether something about it is hard to believe
    after: ActivityPlace | None = None
    limit: int = Field(50, ge=1, le=200)


class ExclusionReason(BaseModel):
    """Why an organiser excludes an activity, for its owner to read."""

    reason: str = Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")


class FoundActivity(ApiModel):
    """An activity as an organiser finds it."""

    strava_id: int
    user_id: UUID
    display_name: str | None
    sport_type: str
    local_start: WallClock
    distance_m: float
    moving_time_s: int
    elapsed_time_s: int
    elev_gain_m: float
    trainer: bool
    commute: bool
    manual: bool
    flagged: bool
    suspicions: tuple[str, ...]  # what about it is hard to believe, in words of ingest
    excluded_by_participant: bool
    excluded_by_organiser: bool
    exclusion_reason: str | None


class FoundActivities(ApiModel):
    """A page of activities, the one that started last first; the next page begins after `next_after`."""

    activities: tuple[FoundActivity, ...]
    next_after: str | None


class ProfileTeam(ApiModel):
    """The team that a participant is in."""

    id: int
    name: str


class ProfileBoard(ApiModel):
    """What a participant has on a board, and their place; None when they are hidden."""

    board: str
    place: int | None
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int
    points: float


class ProfileDay(ApiModel):
    """What a participant has on a board on one local day."""

    board: str
    day: date
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int
    points: float


class ParticipantProfile(ApiModel):
    """A participant in a challenge; streaks are days in a row on which something counted on any board.

    Who is hidden is shown to themselves and to organisers alone.
    """

    user_id: UUID
    display_name: str
    team: ProfileTeam | None
    current_streak_days: int
    longest_streak_days: int
    boards: tuple[ProfileBoard, ...]
    days: tuple[ProfileDay, ...]
    is_hidden: bool = False


class PrivateActivities(BaseModel):
    """Whether activities that only the participant sees on Strava are fetched and count."""

    count: bool


class Listing(BaseModel):
    """Whether the participant wants to be seen on boards."""

    listed: bool


class ParticipantStatus(ApiModel):
    """What a participant chose, what organisers did, and how fetching goes for them.

    `activities` are those on record, whether they count or not. Who asks for a fetch before `sync_possible_at` is
    refused; None: it is possible now.
    """

    user_id: UUID
    listed: bool  # by their own choice
    hidden_by_organiser: bool
    private_activities: bool  # whether those count
    activities: int
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    last_outcome: Literal["succeeded", "failed"] | None
    needs_reconnection: bool
    reconnection_reason: str | None
    sync_requested_at: datetime | None  # by themselves, the last time
    sync_possible_at: datetime | None
