"""Completes a partly given activity, so that tests and demos can add one with a few words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stravasim.activities import start_of
from stravasim.club import WARSAW, Club
from stravasim.dice import Dice
from stravasim.faults import Fault, bad_request
from stravasim.members import Member, Place, place_on
from stravasim.planning import Plan, moving_time, plan_of
from stravasim.sports import SPORTS, Sport, sport_named
from stravasim.summary import summary_of

# Zone arithmetic fails at the ends of the calendar, and a broken date is a fair thing to add.
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_LONGEST = 1e9  # seconds or metres


def complete(club: Club, athlete_id: int, given: Mapping[str, object], now: datetime) -> Mapping[str, object]:
    """A whole SummaryActivity: the given keys as they are, the others invented to fit them.

    Without a start it starts `now`. The same call to the same club gives the same activity.
    """
    member = club.members[athlete_id]
    dice = Dice(f"{member.seed}:added:{len(club.log(athlete_id))}")
    start = now
    if given.get("start_date") is not None or given.get("start_date_local") is not None:
        start = min(max(datetime.fromtimestamp(start_of(given), UTC), _EARLIEST), _LATEST)
    place = _place(member, given, start)
    plan = _fitted(plan_of(member, _sport(member, given, dice), place, start, dice), member, given, dice)
    activity_id = given.get("id")
    if not isinstance(activity_id, int):
        activity_id = club.next_id(athlete_id, now)
    return summary_of(plan, member, activity_id, dice) | dict(given) | {"id": activity_id}


def manual_activity(form: Mapping[str, str]) -> dict[str, object] | Fault:
    """What the form of `POST /activities` gives; Strava's documentation names the fields and which are required."""
    for name in ("name", "sport_type", "start_date_local", "elapsed_time"):
        if not form.get(name) and not (name == "sport_type" and form.get("type")):
            return bad_request("Activity", name, "missing")
    numbers: dict[str, float] = {}
    for name in ("elapsed_time", "distance"):
        try:
            numbers[name] = float(form.get(name) or 0)
        except ValueError:
            return bad_request("Activity", name)
        if not 0 <= numbers[name] < _LONGEST:
            return bad_request("Activity", name)
    try:
        local = datetime.fromisoformat(form["start_date_local"]).replace(tzinfo=None)
    except ValueError:
        return bad_request("Activity", "start_date_local")
    start = min(max(local.replace(tzinfo=WARSAW), _EARLIEST), _LATEST).astimezone(UTC)
    sport = sport_named(form.get("sport_type") or form["type"])
    return {
        "name": form["name"],
        "sport_type": sport.name,
        "type": sport.type,
        "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "elapsed_time": int(numbers["elapsed_time"]),
        "moving_time": int(numbers["elapsed_time"]),
        "distance": numbers["distance"],
        "trainer": form.get("trainer") == "1",
        "commute": form.get("commute") == "1",
        "manual": True,
    }


def upload_something(club: Club, athlete_id: int, now: datetime) -> Mapping[str, object]:
    """An activity of the athlete that has just ended and been uploaded."""
    draft = complete(club, athlete_id, {}, now)
    elapsed = draft["elapsed_time"]
    start = now - timedelta(seconds=elapsed if isinstance(elapsed, int) else 0)
    return complete(club, athlete_id, {"start_date": f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}, now)


def _sport(member: Member, given: Mapping[str, object], dice: Dice) -> Sport:
    name = given.get("sport_type") or given.get("type")
    if isinstance(name, str):
        return sport_named(name)
    return SPORTS[dice.choices(list(member.habits), weights=list(member.habits.values()))[0]]


def _place(member: Member, given: Mapping[str, object], start: datetime) -> Place:
    usual = place_on(member, start.astimezone(WARSAW).date())
    label = given.get("timezone")
    if not isinstance(label, str):
        return usual
    zone = label.rpartition(" ")[2]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return usual
    return replace(usual, zone=zone)


def _fitted(plan: Plan, member: Member, given: Mapping[str, object], dice: Dice) -> Plan:
    visibility = given.get("visibility", "only_me" if given.get("private") is True else "everyone")
    plan = replace(
        plan,
        visibility=visibility if isinstance(visibility, str) else "everyone",
        trainer=given.get("trainer", plan.sport.is_virtual) is True,
        commute=given.get("commute") is True,
        manual=given.get("manual") is True,
    )
    distance, moving, elapsed = (_number(given, key) for key in ("distance", "moving_time", "elapsed_time"))
    if distance is not None:
        plan = replace(plan, distance=float(distance))
        if plan.sport.speed and distance:
            plan = replace(plan, moving=moving_time(member, plan.sport, distance, dice))
    if moving is not None:
        plan = replace(plan, moving=int(moving))
        if distance is None and plan.sport.speed:
            plan = replace(plan, distance=round(moving * plan.sport.speed * member.fitness, 1))
    elif elapsed is not None:
        plan = replace(plan, moving=int(elapsed))
    pause = 0 if plan.manual else dice.randrange(60)
    return replace(plan, elapsed=plan.moving + pause if elapsed is None else int(elapsed))


def _number(given: Mapping[str, object], key: str) -> float | None:
    value = given.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return value
    return None
