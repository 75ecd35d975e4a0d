"""Strava's sport types, and the deprecated `type` of each."""

from collections.abc import Mapping

# The deprecated `type` of each sport type of Strava's schema (May 2026). Types older than `sport_type` have kept
# their name; that the newer ones map to Workout was reported, the four exceptions were recorded.
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
