"""Strava's sport types in groups that people look for them in: pure, without a clock, without IO."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SportGroup:
    """Sports that are chosen together; `name` is that of a heading."""

    name: str
    sports: tuple[str, ...]


GROUPS: Sequence[SportGroup] = (
    SportGroup("foot", ("Run", "TrailRun", "VirtualRun", "Walk", "Hike", "Snowshoe")),
    SportGroup(
        "cycle",
        (
            *("Ride", "GravelRide", "MountainBikeRide", "VirtualRide", "EBikeRide", "EMountainBikeRide"),
            *("Velomobile", "Handcycle"),
        ),
    ),
    SportGroup(
        "water",
        (
            *("Swim", "Rowing", "VirtualRow", "Kayaking", "Canoeing", "StandUpPaddling", "Surfing", "Windsurf"),
            *("Kitesurf", "Sail"),
        ),
    ),
    SportGroup("winter", ("NordicSki", "BackcountrySki", "AlpineSki", "Snowboard", "IceSkate")),
    SportGroup("wheels", ("InlineSkate", "RollerSki", "Skateboard", "Wheelchair")),
    SportGroup(
        "ball",
        (
            *("Soccer", "Basketball", "Volleyball", "Tennis", "TableTennis", "Badminton", "Squash", "Padel"),
            *("Pickleball", "Racquetball", "Cricket", "Golf"),
        ),
    ),
    SportGroup(
        "gym",
        (
            *("WeightTraining", "Workout", "Crossfit", "HighIntensityIntervalTraining", "Elliptical"),
            *("StairStepper", "Yoga", "Pilates", "Dance", "RockClimbing", "PhysicalTherapy"),
        ),
    ),
)
ALL_SPORTS = tuple(sport for group in GROUPS for sport in group.sports)


def in_order(sports: Collection[str]) -> list[str]:
    """These sports as people find them in the groups; unknown ones last."""
    places: Mapping[str, int] = {sport: place for place, sport in enumerate(ALL_SPORTS)}
    return sorted(sports, key=lambda sport: (places.get(sport, len(places)), sport))
