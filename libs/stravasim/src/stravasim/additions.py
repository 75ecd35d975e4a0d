"""Completes a partly given activity, so that tests and demos can add one with a few words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stravasim.activities import start_of
from stravasim.clock import LATEST
from stravasim.club import WARSAW, Club
from stravasim.dice import Dice
from stravasim.faults import Fault, bad_request
from stravasim.members import Member, Place, place_on
from stravasim.planning import Plan, moving_time, plan_of
from stravasim.sports import SPORTS, Sport, sport_named
from stravasim.summary import moments, summary_of

# Zone arithmetic fails at the ends of the calendar, and a broken date is a fair thing to add.
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
_LONGEST = 1e9  # seconds or metres
_SHOWN = "everyone"


def complete(club: Club, athlete_id: int, given: Mapping[str, object], now: datetime) -> Mapping[str, object]:
    """A whole SummaryActivity: the given keys as they are, the others invented to fit them.

    Without a start it starts `now`. The same call to the same club gives the same activity.
    """
    member = club.members[athlete_id]
    dice = Dice(f"{member.seed}:added:{len(club.log(athlete_id))}")
    start = now
    if given.get("start_date") is not None or given.get("start_date_local") is not None:
        start = _moment(start_of(given))
    place = _place(member, given, start)
    if given.get("start_date") is None and given.get("utc_offset") is None and "start_date_local" in given:
        start = in_zone(start, place.zone)
    plan = _fitted(plan_of(member, _sport(member, given, dice), place, start, dice), member, given, dice)
    activity_id = given.get("id")
    if not isinstance(activity_id, int):
        activity_id = club.next_id(athlete_id, now)
    return summary_of(plan, member, activity_id, dice) | dict(given) | {"id": activity_id}


def in_zone(local: datetime, zone: str) -> datetime:
    """The moment (UTC) of a wall clock there, given with a false UTC."""
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def edited(before: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The activity after an edit: what follows from the changed keys changes with them, unless it is given too."""
    after = {**before, **changes, "id": before["id"]}
    sport = changes.get("sport_type")
    if isinstance(sport, str) and "type" not in changes:
        after["type"] = sport_named(sport).type
    if "visibility" in changes and "private" not in changes:
        after["private"] = changes["visibility"] == "only_me"
    elif "private" in changes and "visibility" not in changes:
        hidden = before.get("visibility") == "only_me"
        after["visibility"] = (
            "only_me" if changes["private"] is True else _SHOWN if hidden else before.get("visibility")
        )
    given = {key: value for key, value in changes.items() if key in {"start_date", "start_date_local"}}
    zone = _zone_of(after)
    if len(given) == 1 and zone is not None:
        start = _moment(start_of(given))
        after |= moments(start if "start_date" in given else in_zone(start, zone), zone) | given
    return after


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
        local = datetime.fromisoformat(form["start_date_local"]).replace(tzinfo=UTC)
    except ValueError:
        return bad_request("Activity", "start_date_local")
    local = min(max(local, _EARLIEST), LATEST)
    sport = sport_named(form.get("sport_type") or form["type"])
    return {
        "name": form["name"],
        "sport_type": sport.name,
        "type": sport.type,
        "start_date_local": f"{local:%Y-%m-%dT%H:%M:%SZ}",
        "elapsed_time": int(numbers["elapsed_time"]),
        "moving_time": int(numbers["elapsed_time"]),
        "distance": numbers["distance"],
        "trainer": form.get("trainer") == "1",
        "commute": form.get("commute") == "1",
        "manual": True,
        **({"description": form["description"]} if form.get("description") else {}),
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
    zone = _zone_of(given)
    return usual if zone is None else replace(usual, zone=zone)


def _zone_of(activity: Mapping[str, object]) -> str | None:
    label = activity.get("timezone")
    zone = label.rpartition(" ")[2] if isinstance(label, str) else ""
    try:
        return ZoneInfo(zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _moment(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(min(max(epoch_s, _EARLIEST.timestamp()), LATEST.timestamp()), UTC)


def _fitted(plan: Plan, member: Member, given: Mapping[str, object], dice: Dice) -> Plan:
    visibility = given.get("visibility", "only_me" if given.get("private") is True else _SHOWN)
    plan = replace(
        plan,
        visibility=visibility if isinstance(visibility, str) else _SHOWN,
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
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LONGEST:
        return value
    return None
