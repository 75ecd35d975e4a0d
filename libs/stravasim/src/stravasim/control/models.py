"""Request and response bodies of the control API, and how they are read from the simulator."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from stravasim.dataset.profiles import build_profile
from stravasim.fault_injection import FaultKind
from stravasim.simulator import MAX_LAG_S, Simulator
from stravasim.strava.oauth import Rotation
from stravasim.strava.rate_limits import roll_windows


@dataclass(frozen=True, slots=True)
class AthleteSummary:
    """One athlete: number of activities (private ones included), whether connected, number of requests."""

    id: int
    firstname: str
    lastname: str
    activities: int
    connected: bool
    requests: int


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests by path and by athlete, those answered with 429, and the usage of the current windows."""

    paths: dict[str, int]
    athletes: dict[int, int]
    rate_limited: int
    read_quarter: int
    read_day: int
    overall_quarter: int
    overall_day: int


class ClockUpdate(BaseModel):
    """Set the clock to `now`, then advance it by `advance_s`; freeze or release it."""

    now: AwareDatetime | None = None
    advance_s: Annotated[float, Field(ge=0, le=315_360_000)] = 0
    frozen: bool | None = None


class LimitsUpdate(BaseModel):
    """New rate limits; fields left out stay."""

    overall_quarter: int | None = Field(None, ge=0)
    overall_day: int | None = Field(None, ge=0)
    read_quarter: int | None = Field(None, ge=0)
    read_day: int | None = Field(None, ge=0)


class SettingsUpdate(BaseModel):
    """New settings; fields left out stay. `capacity` 0 admits nobody new, null removes the bound."""

    limits: LimitsUpdate | None = None
    rotation: Rotation | None = None
    short_pages: bool | None = None
    hide_after_paging: bool | None = None
    capacity: int | None = Field(None, ge=0)
    inactive: bool | None = None
    notify_revocation: bool | None = None
    detail_lag_s: float | None = Field(None, ge=0, le=MAX_LAG_S)
    list_lag_s: float | None = Field(None, ge=0, le=MAX_LAG_S)
    signed: bool | None = None


class FaultRuleCreate(BaseModel):
    """A new fault rule; see `stravasim.fault_injection.FaultRule`."""

    kind: FaultKind
    athlete_id: int | None = None
    path: str = Field("/", pattern="^/")
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=1)
    seconds: float = Field(30.0, ge=0, le=600)


class NetworkConditionsUpdate(BaseModel):
    """New network conditions of webhooks; see `stravasim.webhook_dispatcher.NetworkConditions`."""

    loss: float = Field(0.0, ge=0, le=1)
    duplicates: float = Field(0.0, ge=0, le=1)
    reordering: float = Field(0.0, ge=0, le=1)
    delay_s: float = Field(0.0, ge=0, le=3600)
    retry_after_s: float = Field(60.0, ge=0, le=3600)


def athlete_summaries(simulator: Simulator, most: int | None = None) -> list[AthleteSummary]:
    """The first `most` athletes of the dataset, or all, in its order."""
    dataset = simulator.dataset
    profiles = [(athlete_id, build_profile(athlete_id)) for athlete_id in list(dataset.athletes)[:most]]
    return [
        AthleteSummary(
            id=athlete_id,
            firstname=str(profile["firstname"]),
            lastname=str(profile["lastname"]),
            activities=len(dataset.get_index(athlete_id)),
            connected=athlete_id in simulator.tokens.scopes,
            requests=simulator.athlete_counts[athlete_id],
        )
        for athlete_id, profile in profiles
    ]


def request_counts(simulator: Simulator) -> RequestCounts:
    """The counters of a simulator at the current simulated time."""
    usage = roll_windows(simulator.usage, simulator.now())
    return RequestCounts(
        paths=dict(sorted(simulator.path_counts.items())),
        athletes=dict(sorted(simulator.athlete_counts.items())),
        rate_limited=simulator.rate_limited,
        read_quarter=usage.read_quarter,
        read_day=usage.read_day,
        overall_quarter=usage.overall_quarter,
        overall_day=usage.overall_day,
    )
