"""The athletes' characteristics: how often, how fast, where and with which devices each of them trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from stravasim.dataset.rng import SeededRandom
from stravasim.dataset.sports import SPORT_PREFERENCES

HOME_ZONE = ZoneInfo("Europe/Warsaw")


@dataclass(frozen=True, slots=True)
class Location:
    """Where an activity happens: time zone name, latitude and longitude in degrees."""

    zone: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Athlete:
    """One athlete. `rate` is activities per day on average, `fitness` a factor on speed.

    `visibility_odds` are the probabilities that an activity is only_me or followers_only."""

    index: int
    athlete_id: int
    rate: float
    fitness: float
    sport_preferences: Mapping[str, float]
    home: Location
    seed: str
    has_heart_rate_monitor: bool
    has_power_meter: bool
    commutes: bool
    visibility_odds: tuple[float, float]
    device: str

    @property
    def always_active(self) -> bool:
        """The first athlete trains every morning and evening: every dataset has activities on its last day."""
        return self.index == 0


_HOMES = (
    Location("Europe/Warsaw", 52.2297, 21.0122), Location("Europe/Warsaw", 50.0647, 19.9450),
    Location("Europe/Warsaw", 51.1079, 17.0385), Location("Europe/Warsaw", 54.3520, 18.6466),
    Location("Europe/Warsaw", 52.4064, 16.9252), Location("Europe/Warsaw", 51.7592, 19.4560),
)  # fmt: skip
_TRIPS = (
    Location("Europe/London", 51.5072, -0.1276), Location("Atlantic/Canary", 28.1235, -15.4363),
    Location("America/New_York", 40.7829, -73.9654), Location("Asia/Tokyo", 35.6852, 139.7528),
    Location("Asia/Kathmandu", 27.7172, 85.3240), Location("Europe/Athens", 37.9838, 23.7275),
)  # fmt: skip
_DEVICES = (
    "Garmin Forerunner 265", "Garmin Fenix 7", "COROS PACE 3", "Polar Vantage V3", "Suunto Race",
    "Apple Watch Series 9", "Strava App",
)  # fmt: skip


def generate_athlete_ids(seed: int, count: int) -> tuple[int, ...]:
    """`count` different athlete ids; a larger dataset with the same seed starts with the same athletes."""
    rng = SeededRandom(f"{seed}:athletes")
    ids: dict[int, None] = {}
    while len(ids) < count:
        ids[rng.randrange(2_000_000, 180_000_000)] = None
    return tuple(ids)


def build_athlete(seed: str, index: int, athlete_id: int) -> Athlete:
    """The athlete that follows from the seed and the id."""
    rng = SeededRandom(f"{seed}:{athlete_id}")
    return Athlete(
        index=index,
        athlete_id=athlete_id,
        rate=rng.uniform(0.6, 1.5),
        fitness=rng.near(1.0, 0.28),
        sport_preferences=rng.choice(SPORT_PREFERENCES),
        home=rng.choice(_HOMES),
        seed=f"{seed}:{athlete_id}",
        has_heart_rate_monitor=rng.chance(0.75),
        has_power_meter=rng.chance(0.35),
        commutes=rng.chance(0.3),
        visibility_odds=rng.choice(((0.01, 0.02), (0.03, 0.05), (0.1, 0.2))),
        device=rng.choice(_DEVICES),
    )


def location_on(athlete: Athlete, day: date) -> Location:
    """The athlete's location in the week of that day: home, or in 5 % of the weeks one in another time zone."""
    monday = day - timedelta(days=day.weekday())
    rng = SeededRandom(f"{athlete.seed}:trip:{monday}")
    return rng.choice(_TRIPS) if rng.chance(0.05) else athlete.home


def is_travel_day(athlete: Athlete, day: date) -> bool:
    """Whether the athlete's location changes on that day."""
    return day.weekday() == 0 and location_on(athlete, day) != location_on(athlete, day - timedelta(days=1))
