"""What can go wrong with an answer, on demand: which calls it befalls, and how often.

Seen with Strava: 500 on single activities for days, HTML with 503, status 597 in an outage, bodies that are no JSON.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from stravasim.dice import Dice


class Kind(StrEnum):
    """How a call goes wrong."""

    ERROR_500 = "500"
    HTML_503 = "503"
    ODD_597 = "597"
    UNAUTHORIZED = "401"  # the token is refused, though it is good
    TIMEOUT = "timeout"  # nothing comes for `seconds`, and then the connection ends without a body
    SLOW = "slow"  # the right answer, whose body takes `seconds`
    CUT = "cut"  # half of the right answer, and then the connection ends
    INVALID_JSON = "invalid_json"  # the right answer's beginning, complete as far as HTTP can tell


@dataclass(frozen=True, slots=True)
class Mishap:
    """One order: calls of `athlete_id` (None: anybody's) to paths that begin with `path` go wrong in this way.

    Each does with `probability`, and `count` more of them do (None: no end). `/api/v3` is not part of the path.
    """

    kind: Kind
    athlete_id: int | None = None
    path: str = "/"
    probability: float = 1.0
    count: int | None = None
    seconds: float = 30.0

    def befalls(self, athlete_id: int | None, path: str) -> bool:
        """Whether such a call is among those meant."""
        return (self.athlete_id is None or self.athlete_id == athlete_id) and path.startswith(self.path)


class Mishaps:
    """The orders in force, in the order in which they were given."""

    def __init__(self, seed: int) -> None:
        self._dice = Dice(f"{seed}:mishaps")
        self._orders: dict[int, Mishap] = {}
        self._last = 0

    def __bool__(self) -> bool:
        """Whether any order is in force."""
        return bool(self._orders)

    def orders(self) -> Iterable[tuple[int, Mishap]]:
        """Every order with its number."""
        return self._orders.items()

    def order(self, mishap: Mishap) -> int:
        """Put one in force; returns its number."""
        self._last += 1
        self._orders[self._last] = mishap
        return self._last

    def cancel(self, number: int | None = None) -> None:
        """End one, or all."""
        if number is None:
            self._orders.clear()
        else:
            self._orders.pop(number, None)

    def draw(self, athlete_id: int | None, path: str) -> Mishap | None:
        """What befalls this call; counts it."""
        for number, mishap in list(self._orders.items()):
            if mishap.befalls(athlete_id, path) and self._dice.chance(mishap.probability):
                self._use_up(number, mishap)
                return mishap
        return None

    def _use_up(self, number: int, mishap: Mishap) -> None:
        if mishap.count is None:
            return
        if mishap.count <= 1:
            del self._orders[number]
        else:
            self._orders[number] = replace(mishap, count=mishap.count - 1)
