"""The members of the club: how often, how fast, where and with what each of them trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from stravasim.dice import Dice
from stravasim.sports import HABITS


@dataclass(frozen=True, slots=True)
class Place:
    """Where an activity happens: time zone name, latitude and longitude in degrees."""

    zone: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Member:
    """One athlete's ways. `rate` is activities per day on average, `fitness` a factor on speed."""

    index: int
    athlete_id: int
    rate: float
    fitness: float
    habits: Mapping[str, float]
    home: Place
    seed: str
    has_pulse_belt: bool
    has_power_meter: bool
    commutes: bool
    sharing: tuple[float, float]
    device: str

    @property
    def never_rests(self) -> bool:
        """The first member trains every morning and evening, so a club always has news from the last day."""
        return self.index == 0


_HOMES = (
    Place("Europe/Warsaw", 52.2297, 21.0122), Place("Europe/Warsaw", 50.0647, 19.9450),
    Place("Europe/Warsaw", 51.1079, 17.0385), Place("Europe/Warsaw", 54.3520, 18.6466),
    Place("Europe/Warsaw", 52.4064, 16.9252), Place("Europe/Warsaw", 51.7592, 19.4560),
)  # fmt: skip
_TRIPS = (
    Place("Europe/London", 51.5072, -0.1276), Place("Atlantic/Canary", 28.1235, -15.4363),
    Place("America/New_York", 40.7829, -73.9654), Place("Asia/Tokyo", 35.6852, 139.7528),
    Place("Asia/Kathmandu", 27.7172, 85.3240), Place("Europe/Athens", 37.9838, 23.7275),
)  # fmt: skip
_DEVICES = (
    "Garmin Forerunner 265", "Garmin Fenix 7", "COROS PACE 3", "Polar Vantage V3", "Suunto Race",
    "Apple Watch Series 9", "Strava App",
)  # fmt: skip


def athlete_ids(seed: int, count: int) -> tuple[int, ...]:
    """`count` different athlete ids; a bigger club with the same seed begins with the same people."""
    dice = Dice(f"{seed}:athletes")
    ids: dict[int, None] = {}
    while len(ids) < count:
        ids[dice.randrange(2_000_000, 180_000_000)] = None
    return tuple(ids)


def member_of(seed: str, index: int, athlete_id: int) -> Member:
    """The ways of one athlete, decided by the seed and the id."""
    dice = Dice(f"{seed}:{athlete_id}")
    return Member(
        index=index,
        athlete_id=athlete_id,
        rate=dice.uniform(0.6, 1.5),
        fitness=dice.near(1.0, 0.28),
        habits=dice.choice(HABITS),
        home=dice.choice(_HOMES),
        seed=f"{seed}:{athlete_id}",
        has_pulse_belt=dice.chance(0.75),
        has_power_meter=dice.chance(0.35),
        commutes=dice.chance(0.3),
        sharing=dice.choice(((0.01, 0.02), (0.03, 0.05), (0.1, 0.2))),
        device=dice.choice(_DEVICES),
    )


def place_on(member: Member, day: date) -> Place:
    """Where the member is that week: at home, or now and then on a trip in another time zone."""
    monday = day - timedelta(days=day.weekday())
    dice = Dice(f"{member.seed}:trip:{monday}")
    return dice.choice(_TRIPS) if dice.chance(0.05) else member.home


def is_travel_day(member: Member, day: date) -> bool:
    """Whether the member spends the day on the way to or from a trip."""
    return day.weekday() == 0 and place_on(member, day) != place_on(member, day - timedelta(days=1))
