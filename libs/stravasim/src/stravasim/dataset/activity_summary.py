"""Builds a SummaryActivity from a workout.

Which keys are null, empty or missing follows 1,132 recorded activities of 2025.
"""

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from stravasim.dataset.athletes import Athlete
from stravasim.dataset.gps_track import encode_polyline, random_loop
from stravasim.dataset.rng import SeededRandom
from stravasim.dataset.workouts import Workout

_NO_WORKOUT_TYPE = frozenset({"Swim", "Hike", "AlpineSki", "BackcountrySki", "NordicSki"})
_RARE_NAMES = (
    "5 x 1 km @ 4:05 & <easy> home", "🚴 Do pracy", "Złota Polska Jesień", "“Recovery” #nooverlap", "' OR 1=1 --",
)  # fmt: skip
_UPLOAD_ID_GAP = 1_093_000_017


def build_summary(workout: Workout, athlete: Athlete, activity_id: int, rng: SeededRandom) -> dict[str, object]:
    """The SummaryActivity of a workout, with every key of Strava's list response."""
    activity = _head(workout, athlete, activity_id, rng)
    activity |= _times(workout)
    activity |= _counts(workout, rng)
    activity |= _map_and_flags(workout, athlete, activity_id, rng)
    activity |= _speeds(workout, rng)
    activity |= _power(workout, athlete, rng)
    activity |= _heart_rate(workout, athlete, rng)
    activity |= _origin(workout, activity_id, rng)
    return activity


def start_fields(start: datetime, zone: str, *, hidden: bool = False) -> dict[str, object]:
    """The keys `start_date`, `start_date_local`, `timezone` and `utc_offset` of a start (UTC), as Strava writes them.

    The local time ends with `Z` although it is not UTC; `timezone` has the offset of standard time.

    With `hidden`, both dates read midnight and one second of the local day (Strava's change of July 2024).
    """
    local = start.astimezone(ZoneInfo(zone))
    offset = local.utcoffset() or timedelta()
    start_utc, start_local = f"{start:%Y-%m-%dT%H:%M:%S}Z", f"{local:%Y-%m-%dT%H:%M:%S}Z"
    if hidden:
        start_utc = start_local = f"{local:%Y-%m-%d}T00:00:01Z"
    return {
        "start_date": start_utc,
        "start_date_local": start_local,
        "timezone": _label(zone, offset - (local.dst() or timedelta())),
        "utc_offset": offset.total_seconds(),
    }


@cache
def _label(zone: str, standard: timedelta) -> str:
    minutes = int(standard.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"(GMT{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}) {zone}"


def _head(workout: Workout, athlete: Athlete, activity_id: int, rng: SeededRandom) -> dict[str, object]:
    climb = workout.distance / 1000 * rng.near(workout.sport.climb, 0.6)
    head: dict[str, object] = {
        "resource_state": 2,
        "athlete": {"id": athlete.athlete_id, "resource_state": 1},
        "name": _name(workout, rng),
        "distance": workout.distance,
        "moving_time": workout.moving,
        "elapsed_time": workout.elapsed,
        # Strava writes the whole number 0, not 0.0, when there was no climbing.
        "total_elevation_gain": round(climb, 1) if climb >= 0.1 and (workout.has_gps or workout.manual) else 0,
        "type": workout.sport.type,
        "sport_type": workout.sport.name,
    }
    if workout.sport.name not in _NO_WORKOUT_TYPE:
        head["workout_type"] = _workout_type(workout.sport.type, rng)
    return head | {"id": activity_id}


def _workout_type(kind: str, rng: SeededRandom) -> int | None:
    choices = {"Run": (0, None, None, 1, 2, 3), "Ride": (10, 10, None, 11, 12), "WeightTraining": (30, None)}
    return rng.choice(choices.get(kind, (None,)))


def _name(workout: Workout, rng: SeededRandom) -> str:
    if rng.chance(0.03):
        return rng.choice(_RARE_NAMES)
    english, polish = workout.sport.noun
    hour = workout.start.astimezone(ZoneInfo(workout.location.zone)).hour
    time_of_day = 0 if hour < 11 else 1 if hour < 14 else 2 if hour < 18 else 3
    if rng.chance(0.5):
        return f"{('Morning', 'Lunch', 'Afternoon', 'Evening')[time_of_day]} {english}"
    return f"{polish} {('o poranku', 'w południe', 'po południu', 'wieczorem')[time_of_day]}"


def _times(workout: Workout) -> dict[str, object]:
    times = start_fields(workout.start, workout.location.zone, hidden=workout.hidden_start)
    return times | {"location_city": None, "location_state": None, "location_country": None}


def _counts(workout: Workout, rng: SeededRandom) -> dict[str, object]:
    photos = rng.choice((0, 0, 0, 0, 1, 2, 5))
    return {
        "achievement_count": rng.choice((0, 0, 0, 1, 3, 8)) if workout.has_gps else 0,
        "kudos_count": 0 if workout.visibility == "only_me" else rng.randrange(40),
        "comment_count": rng.choice((0, 0, 0, 0, 1, 2)),
        "athlete_count": rng.choice((1, 1, 1, 1, 2, 4)),
        "photo_count": 0,
        "total_photo_count": photos,
        "pr_count": rng.choice((0, 0, 0, 1, 2)) if workout.has_gps else 0,
        "has_kudoed": False,
    }


def _map_and_flags(workout: Workout, athlete: Athlete, activity_id: int, rng: SeededRandom) -> dict[str, object]:
    points = random_loop(workout.location, workout.distance, rng) if workout.has_gps else []
    gear = f"{workout.sport.gear}{athlete.athlete_id % 9_000_000 + 1_000_000}" if workout.sport.gear else None
    return {
        "map": {"id": f"a{activity_id}", "summary_polyline": encode_polyline(points), "resource_state": 2},
        "trainer": workout.trainer,
        "commute": workout.commute,
        "manual": workout.manual,
        "private": workout.visibility == "only_me",
        "visibility": workout.visibility,
        "flagged": rng.chance(0.002),
        "gear_id": gear,
        "start_latlng": list(points[0]) if points else [],
        "end_latlng": list(points[-1]) if points else [],
    }


def _speeds(workout: Workout, rng: SeededRandom) -> dict[str, object]:
    average = round(workout.distance / workout.moving, 3) if workout.moving else 0.0
    speeds: dict[str, object] = {
        "average_speed": average,
        "max_speed": 0 if workout.manual else round(rng.near(average * 1.6, 0.2), 3),
    }
    if workout.manual or workout.sport.speed == 0:
        return speeds
    if workout.sport.gear and rng.chance(0.8):
        speeds["average_cadence"] = round(rng.near(78.0, 0.12), 1)
    if workout.sport.gps and rng.chance(0.5):
        speeds["average_temp"] = rng.randrange(-4, 31)
    return speeds


def _power(workout: Workout, athlete: Athlete, rng: SeededRandom) -> dict[str, object]:
    if workout.sport.gear != "b" or workout.manual:
        return {}
    measured = athlete.has_power_meter or workout.sport.is_virtual
    watts = round(rng.near(165 * athlete.fitness, 0.2), 1)
    power: dict[str, object] = {"average_watts": watts}
    if measured:
        power |= {"max_watts": round(watts * rng.uniform(2, 5)), "weighted_average_watts": round(watts * 1.08)}
    return power | {"kilojoules": round(watts * workout.moving / 1000, 1), "device_watts": measured}


def _heart_rate(workout: Workout, athlete: Athlete, rng: SeededRandom) -> dict[str, object]:
    measured = athlete.has_heart_rate_monitor and not workout.manual and rng.chance(0.95)
    heart_rate: dict[str, object] = {"has_heartrate": measured}
    if measured:
        average = round(rng.near(workout.sport.heart_rate, 0.12), 1)
        heart_rate |= {"average_heartrate": average, "max_heartrate": float(round(average * rng.uniform(1.08, 1.25)))}
    heart_rate |= {"heartrate_opt_out": False, "display_hide_heartrate_option": measured}
    return heart_rate | (
        {"suffer_score": float(round(workout.moving / 60 * rng.uniform(0.4, 1.6)))} if measured else {}
    )


def _origin(workout: Workout, activity_id: int, rng: SeededRandom) -> dict[str, object]:
    origin: dict[str, object] = {}
    if workout.has_gps:
        low = round(rng.uniform(2, 240), 1)
        origin = {
            "elev_high": round(low + rng.uniform(2, 25) * max(1.0, workout.sport.climb / 6), 1),
            "elev_low": low,
        }
    if workout.manual:
        return origin | {"upload_id": None, "external_id": None, "from_accepted_tag": False}
    upload_id = activity_id + _UPLOAD_ID_GAP
    file = f"{workout.start:%Y-%m-%d-%H%M%S}-{workout.sport.name}.fit"
    ping = f"garmin_ping_{upload_id * 17 + rng.randrange(17)}"
    return origin | {
        "upload_id": upload_id,
        "upload_id_str": str(upload_id),
        "external_id": ping if workout.device.startswith("Garmin") else file,
        "from_accepted_tag": False,
        "device_name": workout.device,
    }
