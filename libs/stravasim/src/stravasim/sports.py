"""What the club does: each sport's usual distance, speed and effort."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

# The deprecated `type` of each sport type of Strava's schema (May 2026). Whoever is older than `sport_type` has
# kept the name; that the newer ones become Workout was reported, the four exceptions were recorded.
_OLDER = (
    "AlpineSki", "BackcountrySki", "Canoeing", "Crossfit", "EBikeRide", "Elliptical", "Golf", "Handcycle", "Hike",
    "IceSkate", "InlineSkate", "Kayaking", "Kitesurf", "NordicSki", "Ride", "RockClimbing", "RollerSki", "Rowing",
    "Run", "Sail", "Skateboard", "Snowboard", "Snowshoe", "Soccer", "StairStepper", "StandUpPaddling", "Surfing",
    "Swim", "Velomobile", "VirtualRide", "VirtualRun", "Walk", "WeightTraining", "Wheelchair", "Windsurf", "Workout",
    "Yoga",
)  # fmt: skip
_NEWER = (
    "Badminton", "Basketball", "Cricket", "Dance", "HighIntensityIntervalTraining", "Padel", "PhysicalTherapy",
    "Pickleball", "Pilates", "Racquetball", "Squash", "TableTennis", "Tennis", "VirtualRow", "Volleyball",
)  # fmt: skip
SPORT_TYPES: Mapping[str, str] = {
    **{name: name for name in _OLDER},
    **dict.fromkeys(_NEWER, "Workout"),
    "EMountainBikeRide": "EBikeRide",
    "GravelRide": "Ride",
    "MountainBikeRide": "Ride",
    "TrailRun": "Run",
}


@dataclass(frozen=True, slots=True)
class Sport:
    """One sport type: usual kilometres or minutes, and what it feels like.

    `speed` in m/s for an average member, `climb` in metres per kilometre, `pulse` in beats per minute; `gear`
    is the first letter of Strava's gear ids, or empty. Sports without kilometres are timed in `minutes`.
    """

    name: str
    km: tuple[float, float] = (0.0, 0.0)
    minutes: tuple[float, float] = (20.0, 60.0)
    speed: float = 0.0
    climb: float = 0.0
    pulse: float = 110.0
    gear: str = ""
    gps: bool = True
    noun: tuple[str, str] = ("Workout", "Trening")

    @property
    def type(self) -> str:
        """Strava's deprecated `type`; of a sport that is not documented yet, Workout."""
        return SPORT_TYPES.get(self.name, "Workout")

    @property
    def is_virtual(self) -> bool:
        """Whether it happens indoors on a machine, in a world that has maps."""
        return self.name.startswith("Virtual")


RIDE = Sport("Ride", (18, 85), speed=7.2, climb=6, pulse=136, gear="b", noun=("Ride", "Jazda"))
RUN = Sport("Run", (4, 17), speed=2.9, climb=7, pulse=152, gear="g", noun=("Run", "Bieg"))
WALK = Sport("Walk", (1.5, 7), speed=1.45, climb=4, pulse=98, gear="g", noun=("Walk", "Spacer"))
# No such sport is in Strava's list yet: new ones appear in the app months before the documentation.
NEW_SPORT = Sport("Orienteering", (4, 11), speed=2.1, climb=12, pulse=148, gear="g")
_USUAL = (
    RUN,
    RIDE,
    WALK,
    NEW_SPORT,
    Sport("TrailRun", (6, 24), speed=2.35, climb=34, pulse=150, gear="g", noun=("Trail Run", "Bieg")),
    Sport("GravelRide", (18, 70), speed=5.9, climb=9, pulse=137, gear="b", noun=("Gravel", "Szuter")),
    Sport("MountainBikeRide", (12, 42), speed=4.6, climb=18, pulse=141, gear="b", noun=("MTB", "MTB")),
    Sport("VirtualRide", (14, 45), speed=8.4, climb=8, pulse=143, gear="b", noun=("Zwift",) * 2),
    Sport("Swim", (0.8, 3.2), speed=0.85, pulse=128, gps=False, noun=("Swim", "Pływanie")),
    Sport("Hike", (6, 21), speed=1.1, climb=38, pulse=112, gear="g", noun=("Hike", "Wędrówka")),
    Sport("WeightTraining", minutes=(25, 75), gps=False, noun=("Gym", "Siłownia")),
    Sport("Yoga", minutes=(20, 65), pulse=88, gps=False, noun=("Yoga", "Joga")),
)
_RARE_OUTDOORS = (
    Sport("AlpineSki", (8, 35), speed=6.0, climb=40, pulse=118),
    Sport("BackcountrySki", (5, 18), speed=1.3, climb=55, pulse=140),
    Sport("Canoeing", (4, 15), speed=1.7, pulse=115),
    Sport("EBikeRide", (12, 50), speed=6.4, climb=8, pulse=108, gear="b", noun=("Ride", "Jazda")),
    Sport("EMountainBikeRide", (12, 40), speed=5.0, climb=20, pulse=118, gear="b", noun=("MTB", "MTB")),
    Sport("Golf", (5, 9), speed=0.9, climb=5, pulse=95),
    Sport("Handcycle", (10, 35), speed=5.2, climb=3, pulse=125),
    Sport("IceSkate", (3, 12), speed=4.5, pulse=120),
    Sport("InlineSkate", (6, 22), speed=5.0, climb=2, pulse=130),
    Sport("Kayaking", (4, 14), speed=1.9, pulse=115),
    Sport("Kitesurf", (6, 30), speed=6.5, pulse=118),
    Sport("NordicSki", (6, 30), speed=3.6, climb=14, pulse=148),
    Sport("RollerSki", (8, 30), speed=4.2, climb=8, pulse=145),
    Sport("Rowing", (4, 12), speed=3.0, pulse=138),
    Sport("Sail", (5, 40), speed=2.6, pulse=90),
    Sport("Skateboard", (2, 8), speed=2.8, pulse=110),
    Sport("Snowboard", (8, 30), speed=5.5, climb=40, pulse=115),
    Sport("Snowshoe", (4, 12), speed=1.1, climb=35, pulse=125),
    Sport("StandUpPaddling", (2, 8), speed=1.2, pulse=105),
    Sport("Surfing", (1, 5), speed=0.9, pulse=115),
    Sport("Velomobile", (20, 90), speed=8.8, climb=4, pulse=130),
    Sport("VirtualRow", (3, 10), speed=3.2, pulse=140),
    Sport("VirtualRun", (4, 12), speed=2.9, climb=5, pulse=150, gear="g"),
    Sport("Wheelchair", (4, 15), speed=2.4, climb=2, pulse=125),
    Sport("Windsurf", (5, 25), speed=5.5, pulse=115),
)
_RARE_INDOORS = tuple(
    Sport(name, minutes=(30, 90), pulse=120, gps=False)
    for name in (
        "Badminton", "Basketball", "Cricket", "Crossfit", "Dance", "Elliptical", "HighIntensityIntervalTraining",
        "Padel", "PhysicalTherapy", "Pickleball", "Pilates", "Racquetball", "RockClimbing", "Soccer", "Squash",
        "StairStepper", "TableTennis", "Tennis", "Volleyball", "Workout",
    )
)  # fmt: skip
RARE = _RARE_OUTDOORS + _RARE_INDOORS
SPORTS = {sport.name: sport for sport in _USUAL + RARE}


def sport_named(name: str) -> Sport:
    """The sport of that name, done like a ride or like a new sport if nobody knows it."""
    if name in SPORTS:
        return SPORTS[name]
    return replace(RIDE if name.endswith("Ride") else NEW_SPORT, name=name)


# How much a member of each kind likes each sport.
HABITS: tuple[dict[str, float], ...] = (
    {"Run": 6, "TrailRun": 2, "Walk": 1, "WeightTraining": 1, "Yoga": 0.5, "Orienteering": 0.3},
    {"Ride": 6, "GravelRide": 2, "VirtualRide": 1, "MountainBikeRide": 0.7, "WeightTraining": 0.7, "Run": 0.4},
    {"Run": 3, "Ride": 3, "Swim": 2.5, "VirtualRide": 0.7, "WeightTraining": 0.5},
    {"MountainBikeRide": 4, "GravelRide": 3, "TrailRun": 1, "Hike": 1, "Ride": 1},
    {"Walk": 5, "Hike": 1, "Yoga": 2, "Run": 1, "Swim": 0.7, "Ride": 1},
    {"Run": 2, "Ride": 2, "Walk": 1, "WeightTraining": 2, "Swim": 0.5, "Yoga": 0.7, "Orienteering": 0.4},
)
