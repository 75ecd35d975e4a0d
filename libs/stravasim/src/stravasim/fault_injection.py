"""Rules that make chosen requests fail, for tests of clients.

Observed with Strava: 500 on single activities for days, HTML with 503, status 597 in an outage, invalid JSON bodies.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from stravasim.dataset.rng import SeededRandom


class FaultKind(StrEnum):
    """How a request fails."""

    ERROR_500 = "500"
    HTML_503 = "503"
    STATUS_597 = "597"
    UNAUTHORIZED = "401"  # a valid token is rejected
    TIMEOUT = "timeout"  # no data for `seconds`, then the connection is closed without a body
    SLOW = "slow"  # the correct response, whose body takes `seconds`
    DISCONNECT = "disconnect"  # half of the correct body, then the connection is closed
    INVALID_JSON = "invalid_json"  # half of the correct body, as a complete HTTP response


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Requests of `athlete_id` (None: any) whose path starts with `path` (without `/api/v3`) fail in this way.

    Each with `probability` (0 to 1), at most `count` of them (None: no bound). `seconds` applies to TIMEOUT and SLOW.
    """

    kind: FaultKind
    athlete_id: int | None = None
    path: str = "/"
    probability: float = 1.0
    count: int | None = None
    seconds: float = 30.0

    def matches(self, athlete_id: int | None, path: str) -> bool:
        """Whether the rule covers such a request, probability aside."""
        return (self.athlete_id is None or self.athlete_id == athlete_id) and path.startswith(self.path)


class FaultRules:
    """The active rules by id, in the order of their creation."""

    def __init__(self, seed: int) -> None:
        self._rng = SeededRandom(f"{seed}:faults")
        self._rules: dict[int, FaultRule] = {}
        self._last_id = 0

    def __bool__(self) -> bool:
        """Whether any rule is active."""
        return bool(self._rules)

    def items(self) -> Iterable[tuple[int, FaultRule]]:
        """Every active rule with its id."""
        return self._rules.items()

    def add(self, rule: FaultRule) -> int:
        """Activate a rule; returns its id."""
        self._last_id += 1
        self._rules[self._last_id] = rule
        return self._last_id

    def remove(self, rule_id: int) -> None:
        """Deactivate a rule; unknown ids are ignored."""
        self._rules.pop(rule_id, None)

    def clear(self) -> None:
        """Deactivate all rules."""
        self._rules.clear()

    def match(self, athlete_id: int | None, path: str) -> FaultRule | None:
        """The first rule that applies to this request, if any; uses up one of its `count`."""
        for rule_id, rule in list(self._rules.items()):
            if rule.matches(athlete_id, path) and self._rng.chance(rule.probability):
                self._use(rule_id, rule)
                return rule
        return None

    def _use(self, rule_id: int, rule: FaultRule) -> None:
        if rule.count is None:
            return
        if rule.count <= 1:
            del self._rules[rule_id]
        else:
            self._rules[rule_id] = replace(rule, count=rule.count - 1)
