"""The control side under `/_sim`: what tests and demos may see and do. Never counted, never authorised."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from stravasim import limits
from stravasim.activities import ListQuery, page_of
from stravasim.additions import complete
from stravasim.club import Club, entry_of
from stravasim.data_routes import answer, refusal
from stravasim.faults import Fault, bad_request, not_found
from stravasim.profile import profile_of
from stravasim.simulator import Simulator


@dataclass(frozen=True, slots=True)
class AthleteLine:
    """One athlete of the club and how many activities there are, private ones included."""

    id: int
    firstname: str
    lastname: str
    activities: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls per path since the start, how many of them met a 429, and the usage of the current windows."""

    paths: dict[str, int]
    refused: int
    quarter_hour: int
    day: int


def lines(club: Club, most: int | None = None) -> list[AthleteLine]:
    """The first `most` athletes of the club, or all, in its order."""
    people = [(athlete_id, profile_of(athlete_id)) for athlete_id in list(club.members)[:most]]
    return [
        AthleteLine(
            id=athlete_id,
            firstname=str(person["firstname"]),
            lastname=str(person["lastname"]),
            activities=len(club.log(athlete_id).entries),
        )
        for athlete_id, person in people
    ]


def calls_of(simulator: Simulator) -> Calls:
    """The counters of a simulator at this moment."""
    usage = limits.as_of(simulator.usage, simulator.now())
    return Calls(
        paths=dict(sorted(simulator.calls.items())),
        refused=simulator.refused,
        quarter_hour=usage.in_quarter,
        day=usage.in_day,
    )


def sim_router(simulator: Simulator) -> APIRouter:
    """The routes under `/_sim`."""
    router = APIRouter(prefix="/_sim")

    @router.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/athletes")
    async def athletes() -> list[AthleteLine]:
        return lines(simulator.club)

    @router.get("/calls")
    async def calls() -> Calls:
        return calls_of(simulator)

    @router.get("/activities/{athlete_id}")
    async def activities(athlete_id: int) -> Response:
        if athlete_id not in simulator.club.members:
            return refusal(not_found("Athlete"))
        everything = simulator.club.log(athlete_id).everything
        whole = ListQuery(per_page=max(1, len(everything.starts)))
        return answer(200, page_of(everything, whole))

    @router.post("/athletes/{athlete_id}/activities")
    async def add(athlete_id: int, request: Request) -> Response:
        if athlete_id not in simulator.club.members:
            return refusal(not_found("Athlete"))
        try:
            given: object = await request.json()
        except (ValueError, RecursionError):
            given = None
        problem = _problem(given, simulator.club)
        if problem is not None or not isinstance(given, dict):
            return refusal(problem or bad_request("Activity", ""))
        return _added(simulator, athlete_id, given)

    return router


def _problem(given: object, club: Club) -> Fault | None:
    if not isinstance(given, dict):
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
    simulator.club.add(athlete_id, activity)
    return answer(201, entry.body)
