"""Everything one running simulator knows; the routes share it."""

import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex

from stravasim import limits, webhooks
from stravasim.additions import edited
from stravasim.clock import Clock, SimulatedClock
from stravasim.club import Club
from stravasim.faults import BAD_TOKEN, INACTIVE, Fault
from stravasim.limits import DEFAULT_LIMITS, Limits, Usage
from stravasim.mishaps import Mishaps
from stravasim.oauth import DEMO_APPLICATION, Application, Grant, Rotation, Tokens, bearer_of
from stravasim.sender import Sender
from stravasim.webhooks import News, Subscription

Headers = list[tuple[bytes, bytes]]
LONGEST_LAG_S = 3_600.0
_LATEST = 1_000  # calls that the control side can look at
_OBJECT = re.compile(r"/(activities|push_subscriptions)/[^/]+$")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulator behaves; while it runs, the control side can change all but `application`, `lively`, `seed`.

    `lively` is the seconds between uploads by random athletes, None for never; `capacity` how many athletes may
    connect, None for any number. While `inactive`, data calls are refused and tokens still answered, as with an
    application whose owner has no subscription. A new activity's details are found `detail_lag_s` after its upload,
    and it is listed after `list_lag_s`; its webhook waits for neither. `revocation_is_told` says whether an
    application that revokes a token hears of it by webhook, which is not known of Strava. `signed` adds the header
    that is reported since 2026.
    """

    application: Application = DEMO_APPLICATION
    limits: Limits = DEFAULT_LIMITS
    rotation: Rotation = Rotation.RENEWAL
    short_pages: bool = False
    lively: float | None = None
    capacity: int | None = None
    inactive: bool = False
    detail_lag_s: float = 0.0
    list_lag_s: float = 0.0
    revocation_is_told: bool = True
    signed: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One call and the status of its answer, 0 if there was none; `query` only of calls with a bearer token."""

    at: datetime
    athlete_id: int | None
    method: str
    path: str
    query: str
    status: int


@dataclass(slots=True)
class Simulator:
    """The club, the tokens handed out, the calls counted, and the clock they are measured with."""

    club: Club
    clock: SimulatedClock
    settings: Settings
    tokens: Tokens
    mishaps: Mishaps
    sender: Sender
    subscription: Subscription | None = None
    usage: Usage = field(default_factory=Usage)
    calls: Counter[str] = field(default_factory=Counter)
    callers: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    latest: deque[Call] = field(default_factory=lambda: deque(maxlen=_LATEST))
    _uploaded: dict[int, dict[int, datetime]] = field(default_factory=dict)

    def now(self) -> int:
        """The current moment in whole epoch seconds."""
        return int(self.clock.now().timestamp())

    def count(self, path: str) -> None:
        """Count a call under its path, without what differs from one object to the next."""
        self.calls[_OBJECT.sub(r"/\1/{id}", path)] += 1

    def count_broken(self, path: str, token: str, *, read: bool) -> None:
        """Count a call that a mishap keeps from being answered: as far as is known it costs what a right one does."""
        self.count(path)
        if self.tokens.is_known(token):
            self.usage, _ = limits.count_call(self.usage, self.settings.limits, self.now(), read=read)

    def admit(self, authorization: str, *, read: bool = True) -> tuple[Grant | Fault, Headers]:
        """Count a data call and say who makes it, or why it is refused; with the headers of its answer.

        A call with a token that was never issued here belongs to no application: it is not counted, and its
        401 carries no rate-limit headers. Which calls Strava counts there is not known.
        """
        token = bearer_of(authorization)
        if not self.tokens.is_known(token):
            return BAD_TOKEN, []
        now = self.now()
        self.usage, refusal = limits.count_call(self.usage, self.settings.limits, now, read=read)
        headers = limits.headers(self.usage, self.settings.limits, read=read)
        if refusal is not None:
            self.refused += 1
            return refusal, headers
        if self.settings.inactive:
            return INACTIVE, headers
        grant = self.tokens.grant_for(token, now)
        if isinstance(grant, Grant):
            self.callers[grant.athlete_id] += 1
        return grant, headers

    def add(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """An upload, early or late."""
        self.club.add(athlete_id, activity)
        activity_id = int(str(activity["id"]))
        lately = self.younger_than(athlete_id, LONGEST_LAG_S)
        before = self._uploaded.get(athlete_id, {})
        self._uploaded[athlete_id] = {one: before[one] for one in lately} | {activity_id: self.clock.now()}
        self._tell_of(athlete_id, activity_id, None, activity)

    def younger_than(self, athlete_id: int, age_s: float) -> Collection[int]:
        """The athlete's activities that were uploaded less than that long ago."""
        uploaded = self._uploaded.get(athlete_id)
        if not uploaded or not age_s:
            return ()
        now = self.clock.now()
        since = now - timedelta(seconds=age_s)
        return {activity_id for activity_id, moment in uploaded.items() if since < moment <= now}

    def change(self, athlete_id: int, activity_id: int, changes: Mapping[str, object]) -> dict[str, object] | None:
        """An edit, hiding included; None when there is no such activity."""
        before = self.club.activity(athlete_id, activity_id)
        if before is None:
            return None
        after = edited(before, changes)
        self.club.change(athlete_id, after)
        self._tell_of(athlete_id, activity_id, before, after)
        return after

    def remove(self, athlete_id: int, activity_id: int) -> bool:
        """A deletion; returns whether there was such an activity."""
        before = self.club.activity(athlete_id, activity_id)
        if before is None:
            return False
        self.club.remove(athlete_id, activity_id)
        self._tell_of(athlete_id, activity_id, before, None)
        return True

    def disconnect(self, athlete_id: int, *, by_application: bool = False) -> bool:
        """End an athlete's connection; returns whether there was one."""
        was_connected = self.tokens.forget(athlete_id)
        if was_connected and (self.settings.revocation_is_told or not by_application):
            self._tell(webhooks.deauthorized(athlete_id))
        return was_connected

    def _tell_of(
        self,
        athlete_id: int,
        activity_id: int,
        before: Mapping[str, object] | None,
        after: Mapping[str, object] | None,
    ) -> None:
        scopes = self.tokens.approved.get(athlete_id)
        if scopes is not None:
            self._tell(webhooks.activity_news(athlete_id, activity_id, before, after, scopes))

    def _tell(self, news: News | None) -> None:
        if news is not None and self.subscription is not None:
            self.sender.tell(news, self.subscription, signed=self.settings.signed)


def new_simulator(
    club: Club,
    clock: Clock,
    settings: Settings,
    new_secret: Callable[[], str] = lambda: token_hex(20),
) -> Simulator:
    """A simulator that has not been called yet."""
    simulated = SimulatedClock(clock)
    return Simulator(
        club,
        simulated,
        settings,
        Tokens(settings.application, new_secret),
        Mishaps(settings.seed),
        Sender(simulated, settings.seed, settings.application.client_secret),
    )
