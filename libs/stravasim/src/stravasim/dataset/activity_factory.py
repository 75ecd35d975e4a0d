"""Builds uploaded activities: completes partial ones, parses the manual form, applies edits."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stravasim.clock import LATEST
from stravasim.dataset.activity_summary import build_summary, start_fields
from stravasim.dataset.athletes import HOME_ZONE, Athlete, Location, location_on
from stravasim.dataset.dataset import Dataset
from stravasim.dataset.rng import SeededRandom
from stravasim.dataset.sports import SPORTS, Sport, find_sport
from stravasim.dataset.workouts import Workout, build_workout, estimate_moving_time
from stravasim.strava.errors import ApiError, bad_request
from stravasim.strava.listing import listing_start

# Time zone arithmetic overflows near `datetime.min`, and clients should be tested with invalid dates.
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
_MAX = 1e9  # seconds or metres
_VISIBLE = "everyone"


def build_activity(
    dataset: Dataset, athlete_id: int, fields: Mapping[str, object], now: datetime
) -> Mapping[str, object]:
    """A complete SummaryActivity: the given fields unchanged, the others generated to be consistent with them.

    The start defaults to `now`. The same arguments and dataset give the same activity.
    """
    athlete = dataset.athletes[athlete_id]
    rng = SeededRandom(f"{athlete.seed}:added:{len(dataset.get_index(athlete_id))}")
    start = now
    if fields.get("start_date") is not None or fields.get("start_date_local") is not None:
        start = _clamp(listing_start(fields))
    location = _choose_location(athlete, fields, start)
    if fields.get("start_date") is None and fields.get("utc_offset") is None and "start_date_local" in fields:
        start = local_to_utc(start, location.zone)
    workout = _apply_fields(
        build_workout(athlete, _choose_sport(athlete, fields, rng), location, start, rng), athlete, fields, rng
    )
    activity_id = fields.get("id")
    if not isinstance(activity_id, int):
        activity_id = dataset.next_id(athlete_id, now)
    return build_summary(workout, athlete, activity_id, rng) | dict(fields) | {"id": activity_id}


def local_to_utc(local: datetime, zone: str) -> datetime:
    """The UTC time of a local time in that zone; the zone of `local` itself is ignored."""
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def apply_edit(before: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The activity after an edit. Keys that depend on changed ones are updated too, unless they are given."""
    after = {**before, **changes, "id": before["id"]}
    sport = changes.get("sport_type")
    if isinstance(sport, str) and "type" not in changes:
        after["type"] = find_sport(sport).type
    if "visibility" in changes and "private" not in changes:
        after["private"] = changes["visibility"] == "only_me"
    elif "private" in changes and "visibility" not in changes:
        was_private = before.get("visibility") == "only_me"
        after["visibility"] = (
            "only_me" if changes["private"] is True else _VISIBLE if was_private else before.get("visibility")
        )
    fields = {key: value for key, value in changes.items() if key in {"start_date", "start_date_local"}}
    zone = _find_zone(after)
    if len(fields) == 1 and zone is not None:
        start = _clamp(listing_start(fields))
        after |= start_fields(start if "start_date" in fields else local_to_utc(start, zone), zone) | fields
    return after


def parse_manual_activity(form: Mapping[str, str]) -> dict[str, object] | ApiError:
    """The activity of a `POST /activities` form, or the error. Fields as in Strava's documentation."""
    for name in ("name", "sport_type", "start_date_local", "elapsed_time"):
        if not form.get(name) and not (name == "sport_type" and form.get("type")):
            return bad_request("Activity", name, "missing")
    numbers: dict[str, float] = {}
    for name in ("elapsed_time", "distance"):
        try:
            numbers[name] = float(form.get(name) or 0)
        except ValueError:
            return bad_request("Activity", name)
        if not 0 <= numbers[name] < _MAX:
            return bad_request("Activity", name)
    try:
        local = datetime.fromisoformat(form["start_date_local"]).replace(tzinfo=UTC)
    except ValueError:
        return bad_request("Activity", "start_date_local")
    local = min(max(local, _EARLIEST), LATEST)
    sport = find_sport(form.get("sport_type") or form["type"])
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


def random_upload(dataset: Dataset, athlete_id: int, now: datetime) -> Mapping[str, object]:
    """An activity of the athlete that has just ended and been uploaded."""
    draft = build_activity(dataset, athlete_id, {}, now)
    elapsed = draft["elapsed_time"]
    start = now - timedelta(seconds=elapsed if isinstance(elapsed, int) else 0)
    return build_activity(dataset, athlete_id, {"start_date": f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}, now)


def _choose_sport(athlete: Athlete, fields: Mapping[str, object], rng: SeededRandom) -> Sport:
    name = fields.get("sport_type") or fields.get("type")
    if isinstance(name, str):
        return find_sport(name)
    return SPORTS[rng.choices(list(athlete.sport_preferences), weights=list(athlete.sport_preferences.values()))[0]]


def _choose_location(athlete: Athlete, fields: Mapping[str, object], start: datetime) -> Location:
    usual = location_on(athlete, start.astimezone(HOME_ZONE).date())
    zone = _find_zone(fields)
    return usual if zone is None else replace(usual, zone=zone)


def _find_zone(activity: Mapping[str, object]) -> str | None:
    label = activity.get("timezone")
    zone = label.rpartition(" ")[2] if isinstance(label, str) else ""
    try:
        return ZoneInfo(zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _clamp(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(min(max(epoch_s, _EARLIEST.timestamp()), LATEST.timestamp()), UTC)


def _apply_fields(workout: Workout, athlete: Athlete, fields: Mapping[str, object], rng: SeededRandom) -> Workout:
    visibility = fields.get("visibility", "only_me" if fields.get("private") is True else _VISIBLE)
    workout = replace(
        workout,
        visibility=visibility if isinstance(visibility, str) else _VISIBLE,
        trainer=fields.get("trainer", workout.sport.is_virtual) is True,
        commute=fields.get("commute") is True,
        manual=fields.get("manual") is True,
    )
    distance, moving, elapsed = (_read_number(fields, key) for key in ("distance", "moving_time", "elapsed_time"))
    if distance is not None:
        workout = replace(workout, distance=float(distance))
        if workout.sport.speed and distance:
            workout = replace(workout, moving=estimate_moving_time(athlete, workout.sport, distance, rng))
    if moving is not None:
        workout = replace(workout, moving=int(moving))
        if distance is None and workout.sport.speed:
            workout = replace(workout, distance=round(moving * workout.sport.speed * athlete.fitness, 1))
    elif elapsed is not None:
        workout = replace(workout, moving=int(elapsed))
    pause = 0 if workout.manual else rng.randrange(60)
    return replace(workout, elapsed=workout.moving + pause if elapsed is None else int(elapsed))


def _read_number(fields: Mapping[str, object], key: str) -> float | None:
    value = fields.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MAX:
        return value
    return None
