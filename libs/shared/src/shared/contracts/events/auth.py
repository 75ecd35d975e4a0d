"""Events of auth."""

from datetime import datetime
from typing import Literal

from shared.contracts.events.base import UserEvent


class UserAuthorized(UserEvent):
    """Somebody consented and connected Strava, for the first time or again.

    What is new about it is in `first_time`, `scopes_gained` and `access_regained`; when none of them says so, the
    person has only signed in once more.
    """

    topic = "user.authorized"
    producer = "auth"

    athlete_id: int
    display_name: str
    scopes: tuple[str, ...]
    is_admin: bool
    consent_version: str
    authorized_at: datetime
    first_time: bool
    scopes_gained: tuple[str, ...] = ()  # since the last time; all of them the first time
    access_regained: bool = False  # they had disconnected, or Strava had ended the permission


class UserRenamed(UserEvent):
    """Somebody chose another display name."""

    topic = "user.renamed"
    producer = "auth"

    display_name: str
    renamed_at: datetime


class UserAdminChanged(UserEvent):
    """Somebody became an admin, or is none any more."""

    topic = "user.admin_changed"
    producer = "auth"

    is_admin: bool
    changed_at: datetime


class UserReauthorizationNeeded(UserEvent):
    """Strava does not accept the permission any more: nothing can be fetched until they connect again."""

    topic = "user.reauthorization_needed"
    producer = "auth"

    athlete_id: int
    reason: Literal["refresh_refused"]
    lost_at: datetime


class UserDeauthorized(UserEvent):
    """Somebody disconnected Strava here: nothing may be fetched any more; what is on record stays."""

    topic = "user.deauthorized"
    producer = "auth"

    athlete_id: int
    reason: Literal["disconnected"]
    deauthorized_at: datetime


class UserErased(UserEvent):
    """Everything about this user must be deleted. Whoever joins again as the same athlete is another user."""

    topic = "user.erased"
    producer = "auth"

    athlete_id: int
    reason: Literal["requested", "revoked_at_strava", "expired"]
    erased_at: datetime
