"""An athlete's workouts of a day: start, distance, recording, visibility."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stravasim.dataset.athletes import Athlete, Location, is_travel_day, location_on
from stravasim.dataset.rng import SeededRandom
from stravasim.dataset.sports import RARE, RIDE, SPORTS, WALK, Sport

_WEEKDAY = ((6.0, 8.0, 0.25), (11.5, 13.0, 0.1), (16.5, 20.0, 0.65))  # from hour, to hour, weight
_WEEKEND = ((7.0, 12.0, 0.7), (14.0, 18.0, 0.3))
_MIN_BREAK = timedelta(minutes=20)
_LAST_END = 23 * 3600  # seconds of the local day
_SHORT_WALK_KM = 2.0
_RARE_SPORT_SHARE = 0.03  # of the workouts, so that a large dataset has every sport
_HEAD_UNITS = ("Garmin Edge 840", "Wahoo ELEMNT BOLT", "Hammerhead Karoo")


@dataclass(frozen=True, slots=True)
class Workout:
    """One activity in UTC times, metres and seconds; `activity_summary` turns it into Strava's fields."""

    sport: Sport
    location: Location
    start: datetime
    uploaded: datetime
    distance: float
    moving: int
    elapsed: int
    device: str
    visibility: str = "everyone"
    trainer: bool = False
    commute: bool = False
    manual: bool = False
    hidden_start: bool = False

    @property
    def has_gps(self) -> bool:
        """Whether there is a track; a virtual ride has one too."""
        outdoors = not self.trainer or self.sport.is_virtual
        return self.sport.gps and outdoors and not self.manual and self.distance > 0


def generate_workouts(athlete: Athlete, day: date) -> Iterator[Workout]:
    """All workouts that the athlete records on that local day, duplicates included, ordered by start."""
    rng = SeededRandom(f"{athlete.seed}:{day}")
    count = _workout_count(athlete, day, rng)
    location = location_on(athlete, day)
    hours = sorted(_start_hour(day.weekday() >= 5, rng) for _ in range(count))
    if athlete.always_active:
        hours = [rng.uniform(5.5, 7.0), rng.uniform(17.0, 19.0)]
    earliest = datetime.combine(day, time.min, ZoneInfo(location.zone))
    for hour in hours:
        preferred = datetime.combine(day, time.min, ZoneInfo(location.zone)) + timedelta(seconds=round(hour * 3600))
        start = max(preferred, earliest)
        workout = _apply_recording(_choose_workout(athlete, location, start.astimezone(UTC), rng), athlete, rng)
        if athlete.always_active:
            if _ends_too_late(start, workout, day):
                workout = build_workout(athlete, WALK, location, start.astimezone(UTC), rng, km=_SHORT_WALK_KM)
            workout = replace(workout, uploaded=_upload_time(workout), hidden_start=False)
        if _ends_too_late(start, workout, day):
            return
        earliest = start + timedelta(seconds=workout.elapsed) + _MIN_BREAK
        yield workout
        if workout.sport.gear == "b" and not (workout.manual or workout.trainer) and rng.chance(0.05):
            yield _duplicate_recording(workout, rng)


def _ends_too_late(start: datetime, workout: Workout, day: date) -> bool:
    end = start + timedelta(seconds=workout.elapsed)
    return end.date() > day or end.hour * 3600 > _LAST_END


def _workout_count(athlete: Athlete, day: date, rng: SeededRandom) -> int:
    if is_travel_day(athlete, day) and not athlete.always_active:
        return 0
    rate = athlete.rate * (1.2 if day.weekday() >= 5 else 0.92)
    active = min(0.9, 0.55 + (rate - 0.6) / 3)
    if not athlete.always_active and not rng.chance(active):
        return 0
    return 2 if rng.chance(min(0.85, rate / active - 1)) else 1


def _start_hour(weekend: bool, rng: SeededRandom) -> float:
    slots = _WEEKEND if weekend else _WEEKDAY
    first, last, _ = rng.choices(slots, weights=[weight for _, _, weight in slots])[0]
    return rng.uniform(first, last)


def _choose_workout(athlete: Athlete, location: Location, start: datetime, rng: SeededRandom) -> Workout:
    local = start.astimezone(ZoneInfo(location.zone))
    rush_hour = local.weekday() < 5 and (local.hour in {6, 7, 16, 17})
    if athlete.commutes and rush_hour and rng.chance(0.6):
        sport = RIDE if rng.chance(0.8) else WALK
        low, high = (4.0, 12.0) if sport is RIDE else (1.0, 2.5)
        return replace(build_workout(athlete, sport, location, start, rng, km=rng.uniform(low, high)), commute=True)
    sport = SPORTS[rng.choices(list(athlete.sport_preferences), weights=list(athlete.sport_preferences.values()))[0]]
    if not athlete.always_active and rng.chance(_RARE_SPORT_SHARE):
        sport = rng.choice(RARE)
    workout = build_workout(athlete, sport, location, start, rng)
    if sport is RIDE and rng.chance(0.08):
        return replace(workout, trainer=True, distance=0.0 if rng.chance(0.5) else workout.distance)
    if sport.is_virtual:
        return replace(workout, trainer=True, device="Zwift")
    return workout


def build_workout(
    athlete: Athlete, sport: Sport, location: Location, start: datetime, rng: SeededRandom, *, km: float | None = None
) -> Workout:
    """A workout of that sport at that time without special cases; `km` sets its length."""
    if sport.speed == 0:
        distance, moving = 0.0, round(rng.uniform(*sport.minutes) * 60)
    else:
        local = start.astimezone(ZoneInfo(location.zone))
        longer = 1.35 if local.weekday() >= 5 and km is None else 1.0
        low, high = sport.km
        usual = low + (high - low) * rng.random() ** 1.7
        distance = round((km if km is not None else usual * longer) * 1000, 1)
        moving = estimate_moving_time(athlete, sport, distance, rng)
    pause = 0 if rng.chance(0.3) else round(moving * rng.random() ** 3 * 0.35)
    elapsed = moving - 1 if rng.chance(0.002) else moving + pause
    uploaded = start + timedelta(seconds=elapsed + rng.randrange(30, 900))
    return Workout(sport, location, start, uploaded, distance, moving, elapsed, athlete.device)


def estimate_moving_time(athlete: Athlete, sport: Sport, distance: float, rng: SeededRandom) -> int:
    """Seconds that the athlete moves for `distance` metres of that sport."""
    return max(1, round(distance / rng.near(sport.speed * athlete.fitness, 0.15)))


def _apply_recording(workout: Workout, athlete: Athlete, rng: SeededRandom) -> Workout:
    only_me, followers = athlete.visibility_odds
    draw = rng.random()
    if draw < only_me:
        workout = replace(workout, visibility="only_me")
    elif draw < only_me + followers:
        workout = replace(workout, visibility="followers_only")
    manual_chance = 0.25 if workout.sport.name in {"Swim", "WeightTraining", "Yoga"} else 0.015
    if not workout.commute and not workout.sport.is_virtual and rng.chance(manual_chance):
        late = timedelta(hours=rng.uniform(0.5, 9))
        return replace(workout, manual=True, trainer=False, elapsed=workout.moving, uploaded=workout.uploaded + late)
    if rng.chance(0.025):
        workout = replace(workout, uploaded=workout.uploaded + timedelta(hours=rng.uniform(5, 120)))
    if rng.chance(0.012):
        workout = replace(workout, hidden_start=True)
    return workout


def _duplicate_recording(workout: Workout, rng: SeededRandom) -> Workout:
    # A watch and a head unit record the same ride; Strava accepts both, because the files differ.
    later = timedelta(seconds=rng.randrange(2, 90))
    moving = max(1, workout.moving - rng.randrange(0, 40))
    return replace(
        workout,
        start=workout.start + later,
        uploaded=workout.uploaded + timedelta(seconds=rng.randrange(90, 900)),
        distance=round(rng.near(workout.distance, 0.012), 1),
        moving=moving,
        elapsed=max(moving, workout.elapsed - int(later.total_seconds())),
        device=rng.choice(_HEAD_UNITS),
    )


def _upload_time(workout: Workout) -> datetime:
    return workout.start + timedelta(seconds=workout.elapsed + 60)
