"""The control side under `/_sim`: what tests and demos may see and do. Never counted, never authorised."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from stravasim import limits
from stravasim.activities import ListQuery, page_of
from stravasim.additions import complete
from stravasim.club import Club, entry_of
from stravasim.data_routes import answer, compact, refusal
from stravasim.faults import NO_ACTIVITY, Fault, bad_request, not_found
from stravasim.mishaps import Kind, Mishap
from stravasim.oauth import Rotation
from stravasim.profile import profile_of
from stravasim.simulator import LONGEST_LAG_S, Call, Simulator
from stravasim.webhooks import Weather


@dataclass(frozen=True, slots=True)
class AthleteLine:
    """One athlete of the club: activities (private ones included), whether connected, and calls made for them."""

    id: int
    firstname: str
    lastname: str
    activities: int
    connected: bool
    calls: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls per path and per athlete since the start, those that met a 429, and the usage of the current windows."""

    paths: dict[str, int]
    athletes: dict[int, int]
    refused: int
    quarter_hour: int
    day: int
    overall_quarter_hour: int
    overall_day: int


class ClockChange(BaseModel):
    """What the clock shall show: `now` first, then `advance_s` later; frozen or not."""

    now: AwareDatetime | None = None
    advance_s: Annotated[float, Field(ge=0, le=315_360_000)] = 0
    frozen: bool | None = None


class LimitsChange(BaseModel):
    """New limits; what is left out stays."""

    overall_quarter: int | None = Field(None, ge=0)
    overall_day: int | None = Field(None, ge=0)
    read_quarter: int | None = Field(None, ge=0)
    read_day: int | None = Field(None, ge=0)


class SettingsChange(BaseModel):
    """New settings; what is left out stays. `capacity` 0 means nobody new, null any number."""

    limits: LimitsChange | None = None
    rotation: Rotation | None = None
    short_pages: bool | None = None
    capacity: int | None = Field(None, ge=0)
    inactive: bool | None = None
    revocation_is_told: bool | None = None
    detail_lag_s: float | None = Field(None, ge=0, le=LONGEST_LAG_S)
    list_lag_s: float | None = Field(None, ge=0, le=LONGEST_LAG_S)
    signed: bool | None = None


class MishapOrder(BaseModel):
    """What shall go wrong; see `stravasim.mishaps.Mishap`."""

    kind: Kind
    athlete_id: int | None = None
    path: str = Field("/", pattern="^/")
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=1)
    seconds: float = Field(30.0, ge=0, le=600)


class WeatherChange(BaseModel):
    """How the way to the webhook callback is from now on; see `stravasim.webhooks.Weather`."""

    loss: float = Field(0.0, ge=0, le=1)
    duplicates: float = Field(0.0, ge=0, le=1)
    reordering: float = Field(0.0, ge=0, le=1)
    delay_s: float = Field(0.0, ge=0, le=3600)
    retry_after_s: float = Field(60.0, ge=0, le=3600)


_REFUSED: dict[str, Any] = {"description": "Refused, with a reason"}


def lines(simulator: Simulator, most: int | None = None) -> list[AthleteLine]:
    """The first `most` athletes of the club, or all, in its order."""
    club = simulator.club
    people = [(athlete_id, profile_of(athlete_id)) for athlete_id in list(club.members)[:most]]
    return [
        AthleteLine(
            id=athlete_id,
            firstname=str(person["firstname"]),
            lastname=str(person["lastname"]),
            activities=len(club.log(athlete_id)),
            connected=athlete_id in simulator.tokens.approved,
            calls=simulator.callers[athlete_id],
        )
        for athlete_id, person in people
    ]


def calls_of(simulator: Simulator) -> Calls:
    """The counters of a simulator at this moment."""
    usage = limits.as_of(simulator.usage, simulator.now())
    return Calls(
        paths=dict(sorted(simulator.calls.items())),
        athletes=dict(sorted(simulator.callers.items())),
        refused=simulator.refused,
        quarter_hour=usage.read_quarter,
        day=usage.read_day,
        overall_quarter_hour=usage.overall_quarter,
        overall_day=usage.overall_day,
    )


def sim_router(simulator: Simulator) -> APIRouter:
    """The routes under `/_sim`."""
    router = APIRouter(prefix="/_sim", responses={400: _REFUSED, 404: _REFUSED})
    _add_reading(router, simulator)
    _add_people(router, simulator)
    _add_switches(router, simulator)
    return router


def _add_reading(router: APIRouter, simulator: Simulator) -> None:
    @router.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/athletes")
    async def athletes() -> list[AthleteLine]:
        return lines(simulator)

    @router.get("/calls")
    async def calls() -> Calls:
        return calls_of(simulator)

    @router.get("/calls/latest")
    async def latest(athlete_id: int | None = None) -> list[Call]:
        return [call for call in simulator.latest if athlete_id is None or call.athlete_id == athlete_id]

    @router.delete("/calls", status_code=204)
    async def forget_calls() -> None:
        simulator.calls.clear()
        simulator.callers.clear()
        simulator.latest.clear()
        simulator.refused = 0

    @router.get("/activities/{athlete_id}")
    async def activities(athlete_id: int) -> Response:
        if athlete_id not in simulator.club.members:
            return refusal(not_found("Athlete"))
        log = simulator.club.log(athlete_id)
        return answer(200, page_of(log, ListQuery(per_page=max(1, len(log)))))

    @router.get("/webhooks")
    async def webhooks() -> dict[str, Any]:
        deliveries = [
            {"event": json.loads(one.body), "outcome": one.outcome, "attempts": one.attempts}
            for one in simulator.sender.deliveries
        ]
        subscription = simulator.subscription
        return {"subscription": subscription and dict(subscription.payload()), "deliveries": deliveries}


def _add_people(router: APIRouter, simulator: Simulator) -> None:
    @router.post("/athletes/{athlete_id}/activities")
    async def add(athlete_id: int, request: Request) -> Response:
        if athlete_id not in simulator.club.members:
            return refusal(not_found("Athlete"))
        given = await _object(request)
        problem = _problem(given, simulator.club)
        if problem is not None or given is None:
            return refusal(problem or bad_request("Activity", ""))
        return _added(simulator, athlete_id, given)

    @router.patch("/athletes/{athlete_id}/activities/{activity_id}")
    async def edit(athlete_id: int, activity_id: int, request: Request) -> Response:
        changes = await _object(request)
        if changes is None:
            return refusal(bad_request("Activity", ""))
        known = athlete_id in simulator.club.members
        try:
            after = simulator.change(athlete_id, activity_id, changes) if known else None
        except ValueError:
            return refusal(bad_request("Activity", ""))
        return refusal(NO_ACTIVITY) if after is None else answer(200, compact(after))

    @router.delete("/athletes/{athlete_id}/activities/{activity_id}")
    async def delete(athlete_id: int, activity_id: int) -> Response:
        known = athlete_id in simulator.club.members
        if not known or not simulator.remove(athlete_id, activity_id):
            return refusal(NO_ACTIVITY)
        return Response(status_code=204)

    @router.post("/athletes/{athlete_id}/revoke")
    async def revoke(athlete_id: int) -> dict[str, bool]:
        return {"was_connected": simulator.disconnect(athlete_id)}


def _add_switches(router: APIRouter, simulator: Simulator) -> None:
    @router.get("/clock")
    async def clock() -> dict[str, Any]:
        return {"now": simulator.clock.now().isoformat(), "frozen": simulator.clock.frozen}

    @router.post("/clock")
    async def turn(change: ClockChange) -> Response:
        try:
            simulator.clock.turn(to=change.now, advance_s=change.advance_s, frozen=change.frozen)
        except OverflowError:
            return refusal(bad_request("Clock", "now"))
        return answer(200, compact(await clock()))

    @router.get("/settings")
    async def settings() -> dict[str, Any]:
        shown = asdict(simulator.settings)
        return {name: shown[name] for name in SettingsChange.model_fields}

    @router.patch("/settings")
    async def set_up(change: SettingsChange) -> dict[str, Any]:
        given = change.model_dump(exclude_unset=True)
        fresh = given.pop("limits", None) or {}
        new_limits = replace(simulator.settings.limits, **{k: v for k, v in fresh.items() if v is not None})
        kept = {name: value for name, value in given.items() if value is not None or name == "capacity"}
        simulator.settings = replace(simulator.settings, limits=new_limits, **kept)
        return await settings()

    @router.get("/mishaps")
    async def mishaps() -> list[dict[str, Any]]:
        return [{"id": number, **asdict(mishap)} for number, mishap in simulator.mishaps.orders()]

    @router.post("/mishaps", status_code=201)
    async def order(wish: MishapOrder) -> dict[str, int]:
        return {"id": simulator.mishaps.order(Mishap(**wish.model_dump()))}

    @router.delete("/mishaps", status_code=204)
    async def cancel_all() -> None:
        simulator.mishaps.cancel()

    @router.delete("/mishaps/{number}", status_code=204)
    async def cancel(number: int) -> None:
        simulator.mishaps.cancel(number)

    @router.put("/webhooks/weather", status_code=204)
    async def weather(change: WeatherChange) -> None:
        simulator.sender.weather = Weather(**change.model_dump())


async def _object(request: Request) -> dict[str, object] | None:
    try:
        given: object = await request.json()
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def _problem(given: Mapping[str, object] | None, club: Club) -> Fault | None:
    if given is None:
        return bad_request("Activity", "")
    activity_id = given.get("id")
    if activity_id is None:
        return None
    if not isinstance(activity_id, int):
        return bad_request("Activity", "id")
    return None if club.is_free(activity_id) else bad_request("Activity", "id", "already exists")


def _added(simulator: Simulator, athlete_id: int, given: Mapping[str, object]) -> Response:
    activity = complete(simulator.club, athlete_id, given, simulator.clock.now())
    try:
        entry = entry_of(activity)
    except ValueError:
        return refusal(bad_request("Activity", "id" if "id" in given else ""))
    simulator.add(athlete_id, activity)
    return answer(201, entry.body)
