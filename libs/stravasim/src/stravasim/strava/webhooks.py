"""Strava's webhooks: the events of a change, subscriptions and their errors, the signature."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stravasim.strava.errors import bad_request, not_found
from stravasim.strava.listing import is_private

MAX_ATTEMPTS = 3
RESPONSE_TIMEOUT_S = 2.0
MAX_CALLBACK_LENGTH = 255
CALLBACK_MISSING = bad_request("PushSubscription", "callback url", "missing")
CALLBACK_TOO_LONG = bad_request("PushSubscription", "callback url", "too long")
CALLBACK_FAILED = bad_request("PushSubscription", "callback url", "GET to callback URL does not return 200")
CHALLENGE_MISMATCH = bad_request("PushSubscription", "callback url", "not verifiable")
SUBSCRIPTION_EXISTS = bad_request("PushSubscription", "", "already exists")
SUBSCRIPTION_NOT_FOUND = not_found("PushSubscription", "id")


@dataclass(frozen=True, slots=True)
class Subscription:
    """The one subscription of the application."""

    id: int
    application_id: int
    callback_url: str
    created_at: datetime

    def to_dict(self) -> Mapping[str, object]:
        """The body of a list or create response; times with nanoseconds, as recorded."""
        moment = f"{self.created_at:%Y-%m-%dT%H:%M:%S.%f}000Z"
        return {
            "id": self.id,
            "resource_state": 2,
            "application_id": self.application_id,
            "callback_url": self.callback_url,
            "created_at": moment,
            "updated_at": moment,
        }


class Aspect(StrEnum):
    """What happened to the object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One change that Strava notifies of; `updates` has strings only, as recorded."""

    object_type: str
    object_id: int
    owner_id: int
    aspect: Aspect
    updates: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, subscription_id: int, event_time: int) -> bytes:
        """The body of the request; `event_time` in epoch seconds."""
        event = {
            "aspect_type": self.aspect,
            "event_time": event_time,
            "object_id": self.object_id,
            "object_type": self.object_type,
            "owner_id": self.owner_id,
            "subscription_id": subscription_id,
            "updates": dict(self.updates),
        }
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def deauthorization_event(athlete_id: int) -> WebhookEvent:
    """The event of a revoked authorization."""
    return WebhookEvent("athlete", athlete_id, athlete_id, Aspect.UPDATE, {"authorized": "false"})


def activity_event(
    athlete_id: int,
    activity_id: int,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    scopes: frozenset[str],
) -> WebhookEvent | None:
    """The event that an application with these scopes receives for a change, if any.

    `before` is None for a new activity, `after` for a deleted one. Without `activity:read` there are no events.
    Without `activity:read_all` an activity that becomes Only You is reported as deleted, and as created when it
    becomes visible again. Changes of other fields than title, type and privacy are not reported.
    """
    if "activity:read" not in scopes:
        return None
    sees_all = "activity:read_all" in scopes
    seen_before = before is not None and (sees_all or not is_private(before))
    seen_after = after is not None and (sees_all or not is_private(after))

    def event(aspect: Aspect, updates: Mapping[str, str] | None = None) -> WebhookEvent:
        return WebhookEvent("activity", activity_id, athlete_id, aspect, updates or {})

    if seen_before and seen_after and before is not None and after is not None:
        updates = _updates(before, after)
        return event(Aspect.UPDATE, updates) if updates else None
    if seen_after:
        return event(Aspect.CREATE)
    return event(Aspect.DELETE) if seen_before else None


def _updates(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, str]:
    updates = {}
    if before.get("name") != after.get("name"):
        updates["title"] = str(after.get("name"))
    if before.get("type") != after.get("type") or before.get("sport_type") != after.get("sport_type"):
        updates["type"] = str(after.get("type"))
    if is_private(before) != is_private(after):
        updates["private"] = "true" if is_private(after) else "false"
    return updates


def sign(secret: str, body: bytes, now: int) -> str:
    """The value of `X-Strava-Signature`, as reported in 2026; whether it can be relied on is disputed."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
