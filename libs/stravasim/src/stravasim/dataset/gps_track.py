"""Generated GPS tracks: a loop near a location, and the encoded polyline format."""

from itertools import pairwise
from math import cos, pi, radians, sin

from stravasim.dataset.athletes import Location
from stravasim.dataset.rng import SeededRandom

_METRES_PER_DEGREE = 111_320.0
_CORNERS = 14

Point = tuple[float, float]


def random_loop(location: Location, distance: float, rng: SeededRandom) -> list[Point]:
    """An irregular loop of about `distance` metres that starts near the location: (latitude, longitude) pairs."""
    latitude = location.latitude + rng.uniform(-0.03, 0.03)
    longitude = location.longitude + rng.uniform(-0.04, 0.04)
    radius = min(distance / (2 * pi), 25_000) / _METRES_PER_DEGREE
    heading, stretch = rng.uniform(0, 2 * pi), 1 / cos(radians(latitude))
    points = []
    for corner in range(_CORNERS):
        angle, wobble = heading + 2 * pi * corner / _CORNERS, 1 + 0.25 * sin(3.7 * corner)
        points.append(
            (
                round(latitude + radius * wobble * (sin(angle) - sin(heading)), 6),
                round(longitude + radius * wobble * stretch * (cos(angle) - cos(heading)), 6),
            )
        )
    return [*points, points[0]]


def encode_polyline(points: list[Point]) -> str:
    """The points in the encoded polyline format, with five decimals."""
    steps = [(round(latitude * 1e5), round(longitude * 1e5)) for latitude, longitude in points]
    letters: list[str] = []
    for (from_latitude, from_longitude), (to_latitude, to_longitude) in pairwise([(0, 0), *steps]):
        for step in (to_latitude - from_latitude, to_longitude - from_longitude):
            value = ~(step << 1) if step < 0 else step << 1
            while value >= 0x20:
                letters.append(chr((0x20 | (value & 0x1F)) + 63))
                value >>= 5
            letters.append(chr(value + 63))
    return "".join(letters)
