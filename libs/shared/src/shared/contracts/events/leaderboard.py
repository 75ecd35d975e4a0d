"""Events of leaderboard."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.contracts.events.base import Event, UserEvent


class StandingsChanged(Event):
    """The boards named have new standings; `revision` grows with every change of the challenge's standings."""

    topic = "standings.changed"
    producer = "leaderboard"

    challenge: str
    boards: tuple[str, ...]
    revision: int
    first_day: date
    last_day: date

    @property
    def subject(self) -> str:
        return self.challenge


class MilestoneReached(UserEvent):
    """Somebody reached a milestone with the activity that ended at `reached_at`.

    It is told again when they fell below it, because an activity was changed or removed, and reached it anew.
    """

    topic = "milestone.reached"
    producer = "leaderboard"

    challenge: str
    milestone: str
    reached_at: datetime


class ChallengeClosed(Event):
    """The results of a challenge do not change any more; `digest` is the SHA-256 of them."""

    topic = "challenge.closed"
    producer = "leaderboard"

    challenge: str
    digest: str
    closed_at: datetime

    @property
    def subject(self) -> str:
        return self.challenge


class ParticipantExpired(UserEvent):
    """Somebody takes part in no challenge that is open or still kept, or was removed by an organiser.

    auth disconnects and erases them, unless they have signed in since `authorized_at`, when leaderboard last knew.
    """

    topic = "participant.expired"
    producer = "leaderboard"

    expired_at: datetime
    authorized_at: datetime


class FetchWindowChanged(Event):
    """Which activities are needed by the challenges that are open, to come, or still shown.

    `since` None means that there is no challenge, and nothing to be fetched.
    """

    topic = "fetch_window.changed"
    producer = "leaderboard"

    since: datetime | None  # what starts before it counts nowhere
    changed_at: datetime

    @property
    def subject(self) -> str:
        return "fetch_window"


class RetentionAdvanced(Event):
    """Activities that started before this moment are erased everywhere, and are not recorded any more.

    Nothing is emitted for each of them. The latest `advanced_at` holds: a challenge of earlier days moves it back.
    """

    topic = "retention.advanced"
    producer = "leaderboard"

    before: datetime
    advanced_at: datetime

    @property
    def subject(self) -> str:
        return "retention"


class ParticipantPrivacyChanged(UserEvent):
    """Somebody chose whether activities that only they see at Strava are recorded; until then they are not."""

    topic = "participant.privacy_changed"
    producer = "leaderboard"

    private_activities: bool
    changed_at: datetime


class SyncRequested(Event):
    """Somebody wants activities fetched now: a participant their own, an organiser anybody's."""

    topic = "sync.requested"
    producer = "leaderboard"

    user_id: UUID | None  # None: everybody's
    reason: Literal["participant", "organiser"]
    requested_by: str  # a user id, or the name of an API key
    requested_at: datetime

    @property
    def subject(self) -> str:
        return str(self.user_id or "everybody")
