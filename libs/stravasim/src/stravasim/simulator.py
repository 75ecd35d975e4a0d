"""The state of one running simulator, shared by the Strava routes and the control API."""

import re
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex

from stravasim.clock import Clock, SimulatedClock
from stravasim.dataset.activity_factory import apply_edit
from stravasim.dataset.dataset import Dataset
from stravasim.fault_injection import FaultRules
from stravasim.strava import rate_limits, webhooks
from stravasim.strava.errors import APPLICATION_INACTIVE, INVALID_TOKEN, ApiError
from stravasim.strava.oauth import DEFAULT_APPLICATION, Application, Grant, Rotation, TokenStore, parse_bearer
from stravasim.strava.rate_limits import DEFAULT_LIMITS, Headers, Limits, Usage
from stravasim.strava.webhooks import Subscription, WebhookEvent
from stravasim.webhook_dispatcher import WebhookDispatcher

MAX_LAG_S = 3_600.0
_LOG_SIZE = 1_000  # requests
_OBJECT_PATH = re.compile(r"/(activities|push_subscriptions)/[^/]+$")


@dataclass(frozen=True, slots=True)
class Settings:
    """Behaviour of the simulator; the control API can change all but `application`, `auto_upload_every_s` and `seed`.

    `auto_upload_every_s`: seconds between uploads by random athletes, None for none. `capacity`: how many athletes
    may connect, None for no bound. `inactive`: data requests are refused while token requests are answered, as for
    an application whose owner has no subscription. A new activity's detail is served `detail_lag_s` after its upload
    and listed after `list_lag_s`; its webhook is sent at once. `notify_revocation`: whether an application that
    revokes a token receives a webhook, which is not known of Strava. `signed`: webhooks carry the signature header
    that is reported since 2026. `short_pages`: list pages have fewer items than requested. `hide_after_paging`: what
    a list leaves out is left out after its pages were cut, so that a page may be empty although others follow.
    """

    application: Application = DEFAULT_APPLICATION
    limits: Limits = DEFAULT_LIMITS
    rotation: Rotation = Rotation.RENEWAL
    short_pages: bool = False
    hide_after_paging: bool = False
    auto_upload_every_s: float | None = None
    capacity: int | None = None
    inactive: bool = False
    detail_lag_s: float = 0.0
    list_lag_s: float = 0.0
    notify_revocation: bool = True
    signed: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and the status of its response, 0 without one; `query` only of requests with a bearer token."""

    at: datetime
    athlete_id: int | None
    method: str
    path: str
    query: str
    status: int


@dataclass(slots=True)
class Simulator:
    """The dataset, the issued tokens, the webhook subscription, the request counters, and the clock."""

    dataset: Dataset
    clock: SimulatedClock
    settings: Settings
    tokens: TokenStore
    faults: FaultRules
    webhooks: WebhookDispatcher
    subscription: Subscription | None = None
    next_subscription_id: int = 131_300
    usage: Usage = field(default_factory=Usage)
    path_counts: Counter[str] = field(default_factory=Counter)
    athlete_counts: Counter[int] = field(default_factory=Counter)
    rate_limited: int = 0
    request_log: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_LOG_SIZE))
    _uploaded_at: dict[int, dict[int, datetime]] = field(default_factory=dict)

    def now(self) -> int:
        """The simulated time in whole epoch seconds."""
        return int(self.clock.now().timestamp())

    def count_request(self, path: str) -> None:
        """Count a request by its path, with object ids replaced by `{id}`."""
        self.path_counts[_OBJECT_PATH.sub(r"/\1/{id}", path)] += 1

    def count_faulted(self, path: str, token: str, *, read: bool) -> None:
        """Count a request that an injected fault answers: as far as is known it costs what a regular one does."""
        self.count_request(path)
        if self.tokens.is_known(token):
            self.usage, _ = rate_limits.count_request(self.usage, self.settings.limits, self.now(), read=read)

    def authenticate(self, authorization: str, *, read: bool = True) -> tuple[Grant | ApiError, Headers]:
        """Charge a data request to the rate limits; its grant, or the error that refuses it, and response headers.

        A request with a token that was never issued here belongs to no application: it is not charged, and its
        401 carries no rate-limit headers. Which of those Strava charges is not known.
        """
        token = parse_bearer(authorization)
        if not self.tokens.is_known(token):
            return INVALID_TOKEN, []
        now, limits = self.now(), self.settings.limits
        self.usage, error = rate_limits.count_request(self.usage, limits, now, read=read)
        headers = rate_limits.build_headers(self.usage, limits, read=read)
        if error is not None:
            self.rate_limited += 1
            return error, headers
        if self.settings.inactive:
            return APPLICATION_INACTIVE, headers
        grant = self.tokens.get_grant(token, now)
        if isinstance(grant, Grant):
            self.athlete_counts[grant.athlete_id] += 1
        return grant, headers

    def add_activity(self, athlete_id: int, activity: Mapping[str, object]) -> None:
        """Upload an activity."""
        self.dataset.add_activity(athlete_id, activity)
        activity_id = int(str(activity["id"]))
        recent = self.uploaded_within(athlete_id, MAX_LAG_S)
        before = self._uploaded_at.get(athlete_id, {})
        self._uploaded_at[athlete_id] = {one: before[one] for one in recent} | {activity_id: self.clock.now()}
        self._notify_change(athlete_id, activity_id, None, activity)

    def uploaded_within(self, athlete_id: int, age_s: float) -> Collection[int]:
        """Ids of the athlete's activities that were uploaded less than `age_s` (at most `MAX_LAG_S`) ago."""
        uploaded_at = self._uploaded_at.get(athlete_id)
        if not uploaded_at or not age_s:
            return ()
        now = self.clock.now()
        since = now - timedelta(seconds=age_s)
        return {activity_id for activity_id, moment in uploaded_at.items() if since < moment <= now}

    def update_activity(
        self, athlete_id: int, activity_id: int, changes: Mapping[str, object]
    ) -> dict[str, object] | None:
        """Edit an activity and return it; None when the athlete has none with that id.

        Raises ValueError when the result cannot be written as JSON.
        """
        before = self.dataset.find_activity(athlete_id, activity_id)
        if before is None:
            return None
        after = apply_edit(before, changes)
        self.dataset.update_activity(athlete_id, after)
        self._notify_change(athlete_id, activity_id, before, after)
        return after

    def delete_activity(self, athlete_id: int, activity_id: int) -> bool:
        """Delete an activity; returns whether the athlete had one with that id."""
        before = self.dataset.find_activity(athlete_id, activity_id)
        if before is None:
            return False
        self.dataset.delete_activity(athlete_id, activity_id)
        self._notify_change(athlete_id, activity_id, before, None)
        return True

    def revoke(self, athlete_id: int, *, by_application: bool = False) -> bool:
        """Revoke an athlete's authorization; returns whether there was one."""
        was_connected = self.tokens.revoke(athlete_id)
        if was_connected and (self.settings.notify_revocation or not by_application):
            self._dispatch(webhooks.deauthorization_event(athlete_id))
        return was_connected

    def _notify_change(
        self,
        athlete_id: int,
        activity_id: int,
        before: Mapping[str, object] | None,
        after: Mapping[str, object] | None,
    ) -> None:
        scopes = self.tokens.scopes.get(athlete_id)
        if scopes is not None:
            self._dispatch(webhooks.activity_event(athlete_id, activity_id, before, after, scopes))

    def _dispatch(self, event: WebhookEvent | None) -> None:
        if event is not None and self.subscription is not None:
            self.webhooks.dispatch(event, self.subscription, signed=self.settings.signed)


def create_simulator(dataset: Dataset, clock: Clock, settings: Settings) -> Simulator:
    """A simulator in its initial state: no tokens, no subscription, nothing counted."""
    simulated = SimulatedClock(clock)
    return Simulator(
        dataset,
        simulated,
        settings,
        TokenStore(settings.application, lambda: token_hex(20)),
        FaultRules(settings.seed),
        WebhookDispatcher(simulated, settings.seed, settings.application.client_secret),
    )
