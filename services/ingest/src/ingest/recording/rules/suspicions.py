"""What about an activity is hard to believe. It is recorded all the same; whoever judges it may look."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Suspicion: TypeAlias = Literal["impossible_speed", "absurd_distance", "absurd_climb", "in_the_future"]

#: Sport -> (up to so many metres, metres a second that nobody has kept up). Men's records of 2026 and some room:
#: running from 400 m (9.3 m/s) to the marathon (5.9); race walking 4.4; 100 m freestyle 2.2; the hour on a track
#: 15.8; an eight over 2 km 6.3. Down a mountain a bicycle is faster than on a track, so short rides have more room.
_RUN = ((400, 10.5), (1_000, 8.2), (5_000, 7.2), (21_100, 6.5), (float("inf"), 6.1))
_RIDE = ((15_000, 27.0), (60_000, 18.5), (float("inf"), 16.5))
_ROW = ((float("inf"), 7.0),)
_TOP_SPEEDS: dict[str, tuple[tuple[float, float], ...]] = {
    "Run": _RUN,
    "TrailRun": _RUN,
    "VirtualRun": _RUN,
    "Walk": ((float("inf"), 4.8),),
    "Hike": ((float("inf"), 4.8),),
    "Swim": ((float("inf"), 2.5),),
    "Ride": _RIDE,
    "GravelRide": _RIDE,
    "MountainBikeRide": _RIDE,
    "VirtualRide": _RIDE,
    "Rowing": _ROW,
    "VirtualRow": _ROW,
}
_OTHER_TOP_SPEED = 45.0  # m/s: faster than any skier over a whole run
#: Sport -> metres that nobody covers in one go: more than records of six days on foot, and of a week of cycling.
_ABSURD_DISTANCES_M = {"Run": 1_100_000, "TrailRun": 1_100_000, "Walk": 1_100_000, "Hike": 1_100_000, "Swim": 300_000}
_ABSURD_DISTANCE_M = 5_000_000
_ABSURD_CLIMB_M = 25_000  # more than a day of climbing; longer ones may have so much a day
_CLIMB_PER_M = 1.0  # up a ladder
_CLOCKS_DIFFER = timedelta(days=1)  # a start that was written with a wrong zone is not in the future
_DAY_S = 86_400


def find_suspicions(
    *,
    sport_type: str,
    start_at: datetime,
    distance_m: float,
    moving_time_s: int,
    elapsed_time_s: int,
    elev_gain_m: float,
    fetched_at: datetime,
) -> tuple[Suspicion, ...]:
    """What of these facts no athlete does; `fetched_at` is when Strava gave them."""
    found: list[Suspicion] = []
    seconds = moving_time_s or elapsed_time_s
    if distance_m > _top_speed(sport_type, distance_m) * max(seconds, 1):
        found.append("impossible_speed")
    if distance_m > _ABSURD_DISTANCES_M.get(sport_type, _ABSURD_DISTANCE_M):
        found.append("absurd_distance")
    days = 1 + elapsed_time_s // _DAY_S
    if elev_gain_m > _ABSURD_CLIMB_M * days or elev_gain_m > max(distance_m, 1_000) * _CLIMB_PER_M:
        found.append("absurd_climb")
    if start_at > fetched_at + _CLOCKS_DIFFER:
        found.append("in_the_future")
    return tuple(found)


def _top_speed(sport_type: str, distance_m: float) -> float:
    speeds = _TOP_SPEEDS.get(sport_type)
    if speeds is None:
        return _OTHER_TOP_SPEED
    return next(speed for up_to_m, speed in speeds if distance_m <= up_to_m)
