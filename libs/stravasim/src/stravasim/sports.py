"""What the club does: each sport's usual distance, speed and effort."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Sport:
    """One sport type: the deprecated `type` it maps to, usual kilometres or minutes, and what it feels like.

    `speed` in m/s for an average member, `climb` in metres per kilometre, `pulse` in beats per minute; `gear`
    is the first letter of Strava's gear ids, or empty. Sports without kilometres are timed in `minutes`.
    """

    name: str
    type: str
    km: tuple[float, float] = (0.0, 0.0)
    minutes: tuple[float, float] = (20.0, 60.0)
    speed: float = 0.0
    climb: float = 0.0
    pulse: float = 110.0
    gear: str = ""
    gps: bool = True
    noun: tuple[str, str] = ("Workout", "Trening")


RIDE = Sport("Ride", "Ride", (18, 85), speed=7.2, climb=6, pulse=136, gear="b", noun=("Ride", "Jazda"))
RUN = Sport("Run", "Run", (4, 17), speed=2.9, climb=7, pulse=152, gear="g", noun=("Run", "Bieg"))
WALK = Sport("Walk", "Walk", (1.5, 7), speed=1.45, climb=4, pulse=98, gear="g", noun=("Walk", "Spacer"))
# No such sport is in Strava's list yet: new ones appear in the app months before the documentation.
NEW_SPORT = Sport("Orienteering", "Workout", (4, 11), speed=2.1, climb=12, pulse=148, gear="g")
SPORTS = {
    sport.name: sport
    for sport in (
        RUN,
        RIDE,
        WALK,
        NEW_SPORT,
        Sport("TrailRun", "Run", (6, 24), speed=2.35, climb=34, pulse=150, gear="g", noun=("Trail Run", "Bieg")),
        Sport("GravelRide", "Ride", (18, 70), speed=5.9, climb=9, pulse=137, gear="b", noun=("Gravel", "Szuter")),
        Sport("MountainBikeRide", "Ride", (12, 42), speed=4.6, climb=18, pulse=141, gear="b", noun=("MTB", "MTB")),
        Sport("VirtualRide", "VirtualRide", (14, 45), speed=8.4, climb=8, pulse=143, gear="b", noun=("Zwift",) * 2),
        Sport("Swim", "Swim", (0.8, 3.2), speed=0.85, pulse=128, gps=False, noun=("Swim", "Pływanie")),
        Sport("Hike", "Hike", (6, 21), speed=1.1, climb=38, pulse=112, gear="g", noun=("Hike", "Wędrówka")),
        Sport("WeightTraining", "WeightTraining", minutes=(25, 75), gps=False, noun=("Gym", "Siłownia")),
        Sport("Yoga", "Yoga", minutes=(20, 65), pulse=88, gps=False, noun=("Yoga", "Joga")),
    )
}  # fmt: skip


# Sports older than `sport_type` keep their name in the deprecated `type`; newer ones become Workout there.
_OLD_TYPES = frozenset(
    {
        "AlpineSki", "BackcountrySki", "Canoeing", "Crossfit", "EBikeRide", "Elliptical", "Golf", "Handcycle",
        "IceSkate", "InlineSkate", "Kayaking", "Kitesurf", "NordicSki", "RockClimbing", "RollerSki", "Rowing",
        "Sail", "Skateboard", "Snowboard", "Snowshoe", "Soccer", "StairStepper", "StandUpPaddling", "Surfing",
        "Velomobile", "VirtualRun", "Wheelchair", "Windsurf",
    }
)  # fmt: skip


def sport_named(name: str) -> Sport:
    """The sport of that name, done like a ride or like a new sport if it is not one of the club's."""
    if name in SPORTS:
        return SPORTS[name]
    kind = "EBikeRide" if name == "EMountainBikeRide" else name if name in _OLD_TYPES else "Workout"
    return replace(RIDE if name.endswith("Ride") else NEW_SPORT, name=name, type=kind)


# How much a member of each kind likes each sport.
HABITS: tuple[dict[str, float], ...] = (
    {"Run": 6, "TrailRun": 2, "Walk": 1, "WeightTraining": 1, "Yoga": 0.5, "Orienteering": 0.3},
    {"Ride": 6, "GravelRide": 2, "VirtualRide": 1, "MountainBikeRide": 0.7, "WeightTraining": 0.7, "Run": 0.4},
    {"Run": 3, "Ride": 3, "Swim": 2.5, "VirtualRide": 0.7, "WeightTraining": 0.5},
    {"MountainBikeRide": 4, "GravelRide": 3, "TrailRun": 1, "Hike": 1, "Ride": 1},
    {"Walk": 5, "Hike": 1, "Yoga": 2, "Run": 1, "Swim": 0.7, "Ride": 1},
    {"Run": 2, "Ride": 2, "Walk": 1, "WeightTraining": 2, "Swim": 0.5, "Yoga": 0.7, "Orienteering": 0.4},
)
