"""Strava's webhooks as rules: what is told of a change, to whom, and how a subscription is answered."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stravasim.faults import Fault

ATTEMPTS = 3
ANSWER_WITHIN_S = 2.0
MAX_CALLBACK_LENGTH = 255
NOT_VERIFIABLE = Fault(
    400, "Bad Request", "PushSubscription", "callback url", "GET to callback URL does not return 200"
)
NO_CHALLENGE = Fault(400, "Bad Request", "PushSubscription", "callback url", "not verifiable")
TOO_LONG = Fault(400, "Bad Request", "PushSubscription", "callback url", "too long")
EXISTS = Fault(400, "Bad Request", "PushSubscription", "", "already exists")
UNKNOWN = Fault(404, "Resource Not Found", "PushSubscription", "id", "not found")


@dataclass(frozen=True, slots=True)
class Weather:
    """How the way to the callback is: probabilities from 0 to 1, and seconds between two attempts.

    Seen: about 60 to 120 s between attempts, duplicate creates, and events that overtake one another.
    """

    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    delay_s: float = 0.0
    retry_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """The one subscription of the application."""

    id: int
    application_id: int
    callback_url: str
    created_at: datetime

    def payload(self) -> Mapping[str, object]:
        """As it is listed; times with nanoseconds, as recorded."""
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
class News:
    """One change that Strava tells of; `updates` has strings only, as recorded."""

    object_type: str
    object_id: int
    owner_id: int
    aspect: Aspect
    updates: Mapping[str, str] = field(default_factory=dict)

    def payload(self, subscription_id: int, event_time: int) -> bytes:
        """The body of the call; `event_time` in epoch seconds."""
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


def deauthorized(athlete_id: int) -> News:
    """The athlete took the application's access away."""
    return News("athlete", athlete_id, athlete_id, Aspect.UPDATE, {"authorized": "false"})


def activity_news(
    athlete_id: int,
    activity_id: int,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    scopes: frozenset[str],
) -> News | None:
    """What an application with these scopes hears of a change; None of a new one before, None of a deleted after.

    Without `activity:read` nothing at all. Without `activity:read_all` an activity that becomes Only You looks
    deleted, and created when it comes back. Of updates only title, type and privacy are told.
    """
    if "activity:read" not in scopes:
        return None
    sees_all = "activity:read_all" in scopes
    seen_before = before is not None and (sees_all or not is_private(before))
    seen_after = after is not None and (sees_all or not is_private(after))

    def news(aspect: Aspect, updates: Mapping[str, str] | None = None) -> News:
        return News("activity", activity_id, athlete_id, aspect, updates or {})

    if seen_before and seen_after and before is not None and after is not None:
        updates = _updates(before, after)
        return news(Aspect.UPDATE, updates) if updates else None
    if seen_after:
        return news(Aspect.CREATE)
    return news(Aspect.DELETE) if seen_before else None


def is_private(activity: Mapping[str, object]) -> bool:
    """Whether only its owner may see it: `visibility` only_me, or `private` true."""
    return activity.get("visibility") == "only_me" or activity.get("private") is True


def _updates(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, str]:
    updates = {}
    if before.get("name") != after.get("name"):
        updates["title"] = str(after.get("name"))
    if before.get("type") != after.get("type") or before.get("sport_type") != after.get("sport_type"):
        updates["type"] = str(after.get("type"))
    if is_private(before) != is_private(after):
        updates["private"] = "true" if is_private(after) else "false"
    return updates


def signature(secret: str, body: bytes, now: int) -> str:
    """The value of `X-Strava-Signature`, as reported in 2026; whether it can be relied on is disputed."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
