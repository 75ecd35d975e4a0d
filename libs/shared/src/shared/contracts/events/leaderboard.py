"""Events of leaderboard."""

from datetime import date

from shared.contracts.events.base import Event


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
