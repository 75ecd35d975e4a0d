"""The sports of the dataset: each one's usual distance, speed and effort."""

from dataclasses import dataclass, replace

from stravasim.strava.sport_types import SPORT_TYPES


@dataclass(frozen=True, slots=True)
class Sport:
    """One sport type: usual kilometres or minutes, and effort.

    `speed` in m/s for an average athlete, `climb` in metres per kilometre, `heart_rate` in beats per minute; `gear`
    is the first letter of Strava's gear ids, or empty. Sports without kilometres last `minutes`.
    """

    name: str
    km: tuple[float, float] = (0.0, 0.0)
    minutes: tuple[float, float] = (20.0, 60.0)
    speed: float = 0.0
    climb: float = 0.0
    heart_rate: float = 110.0
    gear: str = ""
    gps: bool = True
    noun: tuple[str, str] = ("Workout", "Trening")

    @property
    def type(self) -> str:
        """Strava's deprecated `type`; of a sport that is not documented yet, Workout."""
        return SPORT_TYPES.get(self.name, "Workout")

    @property
    def is_virtual(self) -> bool:
        """Whether it is done indoors with a track in a virtual world."""
        return self.name.startswith("Virtual")


RIDE = Sport("Ride", (18, 85), speed=7.2, climb=6, heart_rate=136, gear="b", noun=("Ride", "Jazda"))
RUN = Sport("Run", (4, 17), speed=2.9, climb=7, heart_rate=152, gear="g", noun=("Run", "Bieg"))
WALK = Sport("Walk", (1.5, 7), speed=1.45, climb=4, heart_rate=98, gear="g", noun=("Walk", "Spacer"))
# No such sport is in Strava's list yet: new ones appear in the app months before the documentation.
NEW_SPORT = Sport("Orienteering", (4, 11), speed=2.1, climb=12, heart_rate=148, gear="g")
_USUAL = (
    RUN,
    RIDE,
    WALK,
    NEW_SPORT,
    Sport("TrailRun", (6, 24), speed=2.35, climb=34, heart_rate=150, gear="g", noun=("Trail Run", "Bieg")),
    Sport("GravelRide", (18, 70), speed=5.9, climb=9, heart_rate=137, gear="b", noun=("Gravel", "Szuter")),
    Sport("MountainBikeRide", (12, 42), speed=4.6, climb=18, heart_rate=141, gear="b", noun=("MTB", "MTB")),
    Sport("VirtualRide", (14, 45), speed=8.4, climb=8, heart_rate=143, gear="b", noun=("Zwift",) * 2),
    Sport("Swim", (0.8, 3.2), speed=0.85, heart_rate=128, gps=False, noun=("Swim", "Pływanie")),
    Sport("Hike", (6, 21), speed=1.1, climb=38, heart_rate=112, gear="g", noun=("Hike", "Wędrówka")),
    Sport("WeightTraining", minutes=(25, 75), gps=False, noun=("Gym", "Siłownia")),
    Sport("Yoga", minutes=(20, 65), heart_rate=88, gps=False, noun=("Yoga", "Joga")),
)
_RARE_OUTDOORS = (
    Sport("AlpineSki", (8, 35), speed=6.0, climb=40, heart_rate=118),
    Sport("BackcountrySki", (5, 18), speed=1.3, climb=55, heart_rate=140),
    Sport("Canoeing", (4, 15), speed=1.7, heart_rate=115),
    Sport("EBikeRide", (12, 50), speed=6.4, climb=8, heart_rate=108, gear="b", noun=("Ride", "Jazda")),
    Sport("EMountainBikeRide", (12, 40), speed=5.0, climb=20, heart_rate=118, gear="b", noun=("MTB", "MTB")),
    Sport("Golf", (5, 9), speed=0.9, climb=5, heart_rate=95),
    Sport("Handcycle", (10, 35), speed=5.2, climb=3, heart_rate=125),
    Sport("IceSkate", (3, 12), speed=4.5, heart_rate=120),
    Sport("InlineSkate", (6, 22), speed=5.0, climb=2, heart_rate=130),
    Sport("Kayaking", (4, 14), speed=1.9, heart_rate=115),
    Sport("Kitesurf", (6, 30), speed=6.5, heart_rate=118),
    Sport("NordicSki", (6, 30), speed=3.6, climb=14, heart_rate=148),
    Sport("RollerSki", (8, 30), speed=4.2, climb=8, heart_rate=145),
    Sport("Rowing", (4, 12), speed=3.0, heart_rate=138),
    Sport("Sail", (5, 40), speed=2.6, heart_rate=90),
    Sport("Skateboard", (2, 8), speed=2.8, heart_rate=110),
    Sport("Snowboard", (8, 30), speed=5.5, climb=40, heart_rate=115),
    Sport("Snowshoe", (4, 12), speed=1.1, climb=35, heart_rate=125),
    Sport("StandUpPaddling", (2, 8), speed=1.2, heart_rate=105),
    Sport("Surfing", (1, 5), speed=0.9, heart_rate=115),
    Sport("Velomobile", (20, 90), speed=8.8, climb=4, heart_rate=130),
    Sport("VirtualRow", (3, 10), speed=3.2, heart_rate=140),
    Sport("VirtualRun", (4, 12), speed=2.9, climb=5, heart_rate=150, gear="g"),
    Sport("Wheelchair", (4, 15), speed=2.4, climb=2, heart_rate=125),
    Sport("Windsurf", (5, 25), speed=5.5, heart_rate=115),
)
_RARE_INDOORS = tuple(
    Sport(name, minutes=(30, 90), heart_rate=120, gps=False)
    for name in (
        "Badminton", "Basketball", "Cricket", "Crossfit", "Dance", "Elliptical", "HighIntensityIntervalTraining",
        "Padel", "PhysicalTherapy", "Pickleball", "Pilates", "Racquetball", "RockClimbing", "Soccer", "Squash",
        "StairStepper", "TableTennis", "Tennis", "Volleyball", "Workout",
    )
)  # fmt: skip
RARE = _RARE_OUTDOORS + _RARE_INDOORS
SPORTS = {sport.name: sport for sport in _USUAL + RARE}


def find_sport(name: str) -> Sport:
    """The sport with that name; an unknown one has the numbers of Ride or of `NEW_SPORT`."""
    if name in SPORTS:
        return SPORTS[name]
    return replace(RIDE if name.endswith("Ride") else NEW_SPORT, name=name)


# The weight of each sport for each kind of athlete.
SPORT_PREFERENCES: tuple[dict[str, float], ...] = (
    {"Run": 6, "TrailRun": 2, "Walk": 1, "WeightTraining": 1, "Yoga": 0.5, "Orienteering": 0.3},
    {"Ride": 6, "GravelRide": 2, "VirtualRide": 1, "MountainBikeRide": 0.7, "WeightTraining": 0.7, "Run": 0.4},
    {"Run": 3, "Ride": 3, "Swim": 2.5, "VirtualRide": 0.7, "WeightTraining": 0.5},
    {"MountainBikeRide": 4, "GravelRide": 3, "TrailRun": 1, "Hike": 1, "Ride": 1},
    {"Walk": 5, "Hike": 1, "Yoga": 2, "Run": 1, "Swim": 0.7, "Ride": 1},
    {"Run": 2, "Ride": 2, "Walk": 1, "WeightTraining": 2, "Swim": 0.5, "Yoga": 0.7, "Orienteering": 0.4},
)
