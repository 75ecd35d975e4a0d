"""Everything one running simulator knows; the routes share it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex

from stravasim import limits
from stravasim.clock import Clock
from stravasim.club import Club
from stravasim.faults import BAD_TOKEN, Fault
from stravasim.limits import DEFAULT_LIMITS, Limits, Usage
from stravasim.oauth import DEMO_APPLICATION, Application, Grant, Rotation, Tokens

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulator behaves. `lively` is the seconds between uploads by random athletes, None for never."""

    application: Application = DEMO_APPLICATION
    limits: Limits = DEFAULT_LIMITS
    rotation: Rotation = Rotation.RENEWAL
    short_pages: bool = False
    lively: float | None = None
    seed: int = 1


@dataclass(slots=True)
class Simulator:
    """The club, the tokens handed out, the calls counted, and the clock they are measured with."""

    club: Club
    clock: Clock
    settings: Settings
    tokens: Tokens
    usage: Usage = field(default_factory=Usage)
    calls: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def now(self) -> int:
        """The current moment in whole epoch seconds."""
        return int(self.clock.now().timestamp())

    def admit(self, authorization: str) -> tuple[Grant | Fault, Headers]:
        """Count a data call and say who makes it, or why it is refused; with the headers of its answer.

        A call with a token that was never issued here belongs to no application: it is not counted, and its
        401 carries no rate-limit headers. Which calls Strava counts there is not known.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not self.tokens.is_known(token):
            return BAD_TOKEN, []
        now = self.now()
        self.usage, refusal = limits.count_call(self.usage, self.settings.limits, now)
        headers = limits.headers(self.usage, self.settings.limits)
        if refusal is not None:
            self.refused += 1
            return refusal, headers
        return self.tokens.grant_for(token, now), headers


def new_simulator(
    club: Club,
    clock: Clock,
    settings: Settings,
    new_secret: Callable[[], str] = lambda: token_hex(20),
) -> Simulator:
    """A simulator that has not been called yet."""
    return Simulator(club, clock, settings, Tokens(settings.application, new_secret, settings.rotation))
