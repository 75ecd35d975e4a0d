"""Events of leaderboard."""

from datetime import date, datetime

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


class ParticipantExpired(UserEvent):
    """Somebody takes part in no challenge that is open or still kept.

    auth disconnects and erases them, unless they have signed in since `authorized_at`, when leaderboard last knew.
    """

    topic = "participant.expired"
    producer = "leaderboard"

    expired_at: datetime
    authorized_at: datetime
