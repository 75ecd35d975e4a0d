"""A planned activity in Strava's words: the SummaryActivity.

Which key is null, empty or missing when follows 1,132 recorded activities of 2025.
"""

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from stravasim.dice import Dice
from stravasim.members import Member
from stravasim.planning import Plan
from stravasim.route import encode, loop

_NO_WORKOUT_TYPE = frozenset({"Swim", "Hike", "AlpineSki", "BackcountrySki", "NordicSki"})
_RARE_NAMES = (
    "5 x 1 km @ 4:05 & <easy> home", "🚴 Do pracy", "Złota Polska Jesień", "“Recovery” #nooverlap", "' OR 1=1 --",
)  # fmt: skip
_UPLOAD_ID_GAP = 1_093_000_017


def summary_of(plan: Plan, member: Member, activity_id: int, dice: Dice) -> dict[str, object]:
    """The SummaryActivity of a plan, every key of Strava's list answer."""
    activity = _head(plan, member, activity_id, dice)
    activity |= _times(plan)
    activity |= _counts(plan, dice)
    activity |= _map_and_flags(plan, member, activity_id, dice)
    activity |= _speeds(plan, dice)
    activity |= _power(plan, member, dice)
    activity |= _pulse(plan, member, dice)
    activity |= _origin(plan, activity_id, dice)
    return activity


def moments(start: datetime, zone: str, *, hidden: bool = False) -> dict[str, object]:
    """`start_date` to `utc_offset` of a start (UTC): the local time carries a false Z, the label standard time.

    With `hidden`, both dates read midnight and one second of the local day (Strava's change of July 2024).
    """
    local = start.astimezone(ZoneInfo(zone))
    offset = local.utcoffset() or timedelta()
    shown, shown_local = f"{start:%Y-%m-%dT%H:%M:%S}Z", f"{local:%Y-%m-%dT%H:%M:%S}Z"
    if hidden:
        shown = shown_local = f"{local:%Y-%m-%d}T00:00:01Z"
    return {
        "start_date": shown,
        "start_date_local": shown_local,
        "timezone": _label(zone, offset - (local.dst() or timedelta())),
        "utc_offset": offset.total_seconds(),
    }


@cache
def _label(zone: str, standard: timedelta) -> str:
    minutes = int(standard.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"(GMT{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}) {zone}"


def _head(plan: Plan, member: Member, activity_id: int, dice: Dice) -> dict[str, object]:
    climb = plan.distance / 1000 * dice.near(plan.sport.climb, 0.6)
    head: dict[str, object] = {
        "resource_state": 2,
        "athlete": {"id": member.athlete_id, "resource_state": 1},
        "name": _name(plan, dice),
        "distance": plan.distance,
        "moving_time": plan.moving,
        "elapsed_time": plan.elapsed,
        # Strava writes the whole number 0, not 0.0, when there was no climbing.
        "total_elevation_gain": round(climb, 1) if climb >= 0.1 and (plan.has_gps or plan.manual) else 0,
        "type": plan.sport.type,
        "sport_type": plan.sport.name,
    }
    if plan.sport.name not in _NO_WORKOUT_TYPE:
        head["workout_type"] = _workout_type(plan.sport.type, dice)
    return head | {"id": activity_id}


def _workout_type(kind: str, dice: Dice) -> int | None:
    choices = {"Run": (0, None, None, 1, 2, 3), "Ride": (10, 10, None, 11, 12), "WeightTraining": (30, None)}
    return dice.choice(choices.get(kind, (None,)))


def _name(plan: Plan, dice: Dice) -> str:
    if dice.chance(0.03):
        return dice.choice(_RARE_NAMES)
    english, polish = plan.sport.noun
    hour = plan.start.astimezone(ZoneInfo(plan.place.zone)).hour
    time_of_day = 0 if hour < 11 else 1 if hour < 14 else 2 if hour < 18 else 3
    if dice.chance(0.5):
        return f"{('Morning', 'Lunch', 'Afternoon', 'Evening')[time_of_day]} {english}"
    return f"{polish} {('o poranku', 'w południe', 'po południu', 'wieczorem')[time_of_day]}"


def _times(plan: Plan) -> dict[str, object]:
    times = moments(plan.start, plan.place.zone, hidden=plan.hidden_start)
    return times | {"location_city": None, "location_state": None, "location_country": None}


def _counts(plan: Plan, dice: Dice) -> dict[str, object]:
    photos = dice.choice((0, 0, 0, 0, 1, 2, 5))
    return {
        "achievement_count": dice.choice((0, 0, 0, 1, 3, 8)) if plan.has_gps else 0,
        "kudos_count": 0 if plan.visibility == "only_me" else dice.randrange(40),
        "comment_count": dice.choice((0, 0, 0, 0, 1, 2)),
        "athlete_count": dice.choice((1, 1, 1, 1, 2, 4)),
        "photo_count": 0,
        "total_photo_count": photos,
        "pr_count": dice.choice((0, 0, 0, 1, 2)) if plan.has_gps else 0,
        "has_kudoed": False,
    }


def _map_and_flags(plan: Plan, member: Member, activity_id: int, dice: Dice) -> dict[str, object]:
    points = loop(plan.place, plan.distance, dice) if plan.has_gps else []
    gear = f"{plan.sport.gear}{member.athlete_id % 9_000_000 + 1_000_000}" if plan.sport.gear else None
    return {
        "map": {"id": f"a{activity_id}", "summary_polyline": encode(points), "resource_state": 2},
        "trainer": plan.trainer,
        "commute": plan.commute,
        "manual": plan.manual,
        "private": plan.visibility == "only_me",
        "visibility": plan.visibility,
        "flagged": dice.chance(0.002),
        "gear_id": gear,
        "start_latlng": list(points[0]) if points else [],
        "end_latlng": list(points[-1]) if points else [],
    }


def _speeds(plan: Plan, dice: Dice) -> dict[str, object]:
    average = round(plan.distance / plan.moving, 3) if plan.moving else 0.0
    speeds: dict[str, object] = {
        "average_speed": average,
        "max_speed": 0 if plan.manual else round(dice.near(average * 1.6, 0.2), 3),
    }
    if plan.manual or plan.sport.speed == 0:
        return speeds
    if plan.sport.gear and dice.chance(0.8):
        speeds["average_cadence"] = round(dice.near(78.0, 0.12), 1)
    if plan.sport.gps and dice.chance(0.5):
        speeds["average_temp"] = dice.randrange(-4, 31)
    return speeds


def _power(plan: Plan, member: Member, dice: Dice) -> dict[str, object]:
    if plan.sport.gear != "b" or plan.manual:
        return {}
    measured = member.has_power_meter or plan.sport.is_virtual
    watts = round(dice.near(165 * member.fitness, 0.2), 1)
    power: dict[str, object] = {"average_watts": watts}
    if measured:
        power |= {"max_watts": round(watts * dice.uniform(2, 5)), "weighted_average_watts": round(watts * 1.08)}
    return power | {"kilojoules": round(watts * plan.moving / 1000, 1), "device_watts": measured}


def _pulse(plan: Plan, member: Member, dice: Dice) -> dict[str, object]:
    measured = member.has_pulse_belt and not plan.manual and dice.chance(0.95)
    pulse: dict[str, object] = {"has_heartrate": measured}
    if measured:
        average = round(dice.near(plan.sport.pulse, 0.12), 1)
        pulse |= {"average_heartrate": average, "max_heartrate": float(round(average * dice.uniform(1.08, 1.25)))}
    pulse |= {"heartrate_opt_out": False, "display_hide_heartrate_option": measured}
    return pulse | ({"suffer_score": float(round(plan.moving / 60 * dice.uniform(0.4, 1.6)))} if measured else {})


def _origin(plan: Plan, activity_id: int, dice: Dice) -> dict[str, object]:
    origin: dict[str, object] = {}
    if plan.has_gps:
        low = round(dice.uniform(2, 240), 1)
        origin = {"elev_high": round(low + dice.uniform(2, 25) * max(1.0, plan.sport.climb / 6), 1), "elev_low": low}
    if plan.manual:
        return origin | {"upload_id": None, "external_id": None, "from_accepted_tag": False}
    upload_id = activity_id + _UPLOAD_ID_GAP
    file = f"{plan.start:%Y-%m-%d-%H%M%S}-{plan.sport.name}.fit"
    ping = f"garmin_ping_{upload_id * 17 + dice.randrange(17)}"
    return origin | {
        "upload_id": upload_id,
        "upload_id_str": str(upload_id),
        "external_id": ping if plan.device.startswith("Garmin") else file,
        "from_accepted_tag": False,
        "device_name": plan.device,
    }
