"""Events of auth."""

from datetime import datetime

from shared.contracts.events.base import UserEvent


class UserAuthorized(UserEvent):
    """Somebody consented and connected Strava, for the first time or again."""

    topic = "user.authorized"
    producer = "auth"

    athlete_id: int
    display_name: str
    scopes: tuple[str, ...]
    is_admin: bool
    consent_version: str
    authorized_at: datetime
    first_time: bool
