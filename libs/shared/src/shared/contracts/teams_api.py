"""What leaderboard's API takes and answers about teams."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from shared.contracts.leaderboard_api import ApiModel, BoardInfo, ChallengeInfo

MAX_TEAM_NAME = 60  # characters
MAX_TEAMS_DEALT = 2_000
MAX_ROW_ID = 2**63 - 1
MAX_SEED = 2**53 - 1  # the largest that every reader of JSON keeps exact


class TeamErrorCode(StrEnum):
    """The `code` of an error's body where it is about teams and not a general one."""

    TEAM_FULL = "team_full"
    TEAM_NAME_TAKEN = "team_name_taken"
    NO_TEAM = "no_team"  # whoever leaves is in none
    CHALLENGE_CLOSED = "challenge_closed"


class TeamMode(StrEnum):
    """What of its members' values a team has on a board."""

    SUM = "sum"
    AVERAGE = "average"  # of all members, also those who have done nothing yet
    BEST = "best"  # the sum of the highest ones, as many as the board says


class TeamInfo(ApiModel):
    """A team; `members` is how many people are in it."""

    id: int
    name: str
    members: int


class OwnTeam(TeamInfo):
    """The team of whoever asks, who may rename and delete it as its creator."""

    is_creator: bool


class TeamPage(ApiModel):
    """Some of a challenge's teams by name; `total` is how many there are, `team_size` how many people each takes."""

    team_size: int
    total: int
    teams: tuple[TeamInfo, ...]


class MemberFigures(ApiModel):
    """What a member has on a board; `value` is the figure that it ranks by."""

    board: str
    value: float
    distance_m: float
    moving_time_s: int
    elev_gain_m: float
    activities: int


class TeamMember(ApiModel):
    """A member, with the boards on which they have something."""

    user_id: UUID
    display_name: str
    figures: tuple[MemberFigures, ...]


class TeamDetails(ApiModel):
    """A team and who is in it, by name; `hidden_members` are in it, too, and not shown."""

    id: int
    name: str
    team_size: int
    members: tuple[TeamMember, ...]
    hidden_members: int = 0


class TeamDay(ApiModel):
    """What the members of a team, as far as they are listed, have together on a board on one local day."""

    day: date
    value: float


class TeamStanding(ApiModel):
    """One line of a team board; ties share a place. `members` are those whom `value` is made of."""

    place: int
    team_id: int
    name: str
    members: int
    value: float
    activities: int


class TeamBoard(ApiModel):
    """Some lines of the teams on a board at one moment; `total` is how many lines there are.

    `best` is how many members count where the mode is that.
    """

    challenge: ChallengeInfo
    board: BoardInfo
    mode: TeamMode
    best: int | None
    revision: int
    as_of: datetime
    total: int
    rows: tuple[TeamStanding, ...]


class ApiRequest(BaseModel):
    """A body that an internal API takes; what it does not know is refused and not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _check_team_name(name: str) -> str:
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= MAX_TEAM_NAME or not trimmed.isprintable():
        raise ValueError(f"The name of a team has 1 to {MAX_TEAM_NAME} characters, and only such as can be printed.")
    return trimmed


TeamName = Annotated[
    str,
    AfterValidator(_check_team_name),
    Field(description=f"Without the spaces around it, 1 to {MAX_TEAM_NAME} characters that can be printed."),
]


TeamLabel = Annotated[TeamName, Field(max_length=50)]  # a number fits behind it


class TeamDraft(ApiRequest):
    """A name for a team; no two of a challenge differ only in case, width of letters or spaces."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Night Owls"}]})

    name: TeamName


class TeamAssignment(ApiRequest):
    """The team that somebody is put into; none takes them out of theirs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"team_id": 7}]})

    team_id: int | None = Field(ge=1, le=MAX_ROW_ID, strict=True)


class DealOrder(StrEnum):
    """How people are dealt out to teams."""

    EVENLY = "evenly"  # so that teams are about as strong, by the value on the challenge's first board
    RANDOM = "random"


def _names_or_count(teams: object) -> str:
    return "names" if isinstance(teams, list | tuple) else "count"


class TeamDeal(ApiRequest):
    """Teams by their names, or how many, that people are dealt out to.

    Those without a team are, to new teams; or everybody, also to teams that have one of the names already. A random
    order is the same whenever it is given the same seed.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"teams": ["Owls", "Larks"], "how": "evenly"},
                {"teams": 12, "how": "random", "seed": 2026, "everybody": True},
            ]
        }
    )

    teams: Annotated[
        Annotated[int, Tag("count"), Field(ge=1, le=MAX_TEAMS_DEALT, strict=True)]
        | Annotated[tuple[TeamName, ...], Tag("names"), Field(min_length=1, max_length=MAX_TEAMS_DEALT)],
        Discriminator(_names_or_count),
    ]
    how: DealOrder
    seed: int | None = Field(None, ge=0, le=MAX_SEED, strict=True)
    everybody: bool = Field(False, strict=True)
    label: TeamLabel = "Team"  # what stands before the number of teams that are given no names


class DealtTeams(ApiModel):
    """The teams that people were dealt out to, and the seed if the order was random."""

    seed: int | None
    teams: tuple[TeamInfo, ...]
