"""What goes through the pipe, on both sides: pages of a club's activities, as a worker of sync has them in hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils.compat as uuid_utils

from shared.contracts.events import ActivityFetched, FetchedActivity

ATHLETES, PER_ATHLETE, PER_PAGE = 300, 94, 200


@dataclass(frozen=True)
class Round:
    """The pages of one round: of athletes and activities that no round had before."""

    number: int
    pages: list[ActivityFetched]
    user_ids: list[UUID]

    @property
    def activities(self) -> int:
        return sum(len(page.activities) for page in self.pages)


def make_round(number: int, first_day: datetime, athletes: int = ATHLETES, per_athlete: int = PER_ATHLETE) -> Round:
    """Half of them run and half ride, three times in four days, so that nothing overlaps and everything counts."""
    users = [uuid_utils.uuid7() for _ in range(athletes)]
    pages = []
    for athlete, user_id in enumerate(users):
        first_id = 10_000_000_000 + (number * athletes + athlete) * per_athlete
        starts = [first_day + timedelta(hours=18 * position + athlete % 6) for position in range(per_athlete)]
        sport = "Run" if athlete % 2 else "Ride"
        activities = [_activity(first_id + at, sport, start) for at, start in enumerate(starts)]
        for at in range(0, per_athlete, PER_PAGE):
            page = ActivityFetched(
                user_id=user_id,
                athlete_id=number * athletes + athlete + 1,
                fetch_seq=number * athletes + athlete + 1,
                fetched_at=datetime.now(UTC),
                activities=tuple(activities[at : at + PER_PAGE]),
            )
            pages.append(page)
    return Round(number, pages, users)


def _activity(strava_id: int, sport: str, start: datetime) -> FetchedActivity:
    return FetchedActivity(
        id=strava_id,
        sport_type=sport,
        type=sport,
        start_date=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        start_date_local=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        timezone="(GMT+00:00) Europe/London",
        utc_offset=0.0,
        distance=10_012.4,
        moving_time=3120,
        elapsed_time=3245,
        total_elevation_gain=84.0,
        trainer=False,
        commute=False,
        manual=False,
        private=False,
        flagged=False,
        visibility="everyone",
    )
