"""A simulated season arrives in any order, and the table is the same each time."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from ingest_helpers import delete_all, handle, newest_events, overlapping_pairs

from shared.contracts.events import ActivityFetched, ActivityVanished, AthleteListed, Event, FetchedActivity
from shared.database.engine import Database
from stravasim.dataset.generator import generate_dataset
from testkit.databases import fetch_rows
from testkit.handling import emitted

USERS = (UUID(int=1), UUID(int=2))
END = date(2026, 6, 30)
PER_PAGE = 20
SHUFFLES = 6
_FIELDS = FetchedActivity.model_fields.keys()


class Season:
    """Two athletes at Strava, and what sync tells of them along the way."""

    def __init__(self, rng: random.Random) -> None:
        now = datetime(2026, 7, 1, tzinfo=UTC)
        dataset = generate_dataset(athletes=len(USERS), days=60, seed=5, until=END, now=now)
        self._rng = rng
        self._seq = 0
        self.messages: list[Event] = []
        self._strava: list[dict[int, dict[str, Any]]] = [
            {entry.id: json.loads(entry.body) for entry in dataset.get_index(athlete).entries}
            for athlete in dataset.athletes
        ]

    def list_all(self, athlete: int, since: datetime | None = None) -> None:
        """A complete listing, page by page, as of now."""
        self._seq += 1
        shown = [
            one
            for one in self._strava[athlete].values()
            if since is None or datetime.fromisoformat(one["start_date"]) >= since
        ]
        for at in range(0, len(shown), PER_PAGE):
            self._tell(athlete, shown[at : at + PER_PAGE])
        self.messages.append(
            AthleteListed(
                user_id=USERS[athlete],
                fetch_seq=self._seq,
                after=since,
                before=datetime(2026, 7, 1, tzinfo=UTC),
                strava_ids=tuple(one["id"] for one in shown),
            )
        )

    def _tell(self, athlete: int, summaries: list[dict[str, Any]]) -> None:
        activities = tuple(FetchedActivity(**{name: one[name] for name in one.keys() & _FIELDS}) for one in summaries)
        self.messages.append(
            ActivityFetched(
                user_id=USERS[athlete],
                athlete_id=athlete + 1,
                fetch_seq=self._seq,
                fetched_at=datetime(2026, 7, 1, tzinfo=UTC),
                activities=activities,
            )
        )

    def change_something(self, athlete: int) -> None:
        """Somebody edits, crops, moves, hides or deletes; a webhook has sync ask for that one, or nobody tells."""
        strava_id = self._rng.choice(sorted(self._strava[athlete]))
        one = self._strava[athlete][strava_id]
        start_at = datetime.fromisoformat(one["start_date"]) + timedelta(minutes=self._rng.choice([-45, 20, 1500]))
        changes: list[dict[str, Any] | None] = [
            {"sport_type": "Walk"},
            {"distance": one["distance"] * 0.9, "elapsed_time": one["elapsed_time"] + 1800},
            {"start_date": f"{start_at:%Y-%m-%dT%H:%M:%SZ}"},
            {"visibility": "only_me", "private": True},
            {"visibility": "everyone", "private": False},
            {"distance": -1.0},
            None,
        ]
        change = self._rng.choice(changes)
        if change is None:
            del self._strava[athlete][strava_id]
        else:
            one |= change
        if self._rng.random() < 0.6:
            self._seq += 1
            if change is not None:
                self._tell(athlete, [one])
            else:
                self.messages.append(
                    ActivityVanished(
                        user_id=USERS[athlete], strava_id=strava_id, fetch_seq=self._seq, reason="deleted"
                    )
                )


async def state(database: Database) -> tuple[list[tuple[Any, ...]], set[tuple[int, int]]]:
    """All that the table says, except when it came to that; and the pairs."""
    rows = await fetch_rows(
        database,
        """select strava_id, user_id, fetch_seq, state, sport_type, start_at, local_start, distance_m, moving_time_s,
               elapsed_time_s, elev_gain_m, trainer, commute, manual, flagged, visibility, suspicions, overlaps_with
           from activities order by strava_id""",
    )
    return [tuple(row) for row in rows], await overlapping_pairs(database)


async def test_any_permutation_of_a_season_gives_the_same_table(database: Database) -> None:
    rng = random.Random(11)
    season = Season(rng)
    for round_ in range(4):
        for athlete in range(len(USERS)):
            season.list_all(athlete, None if round_ % 2 else datetime(2026, 5, 20, tzinfo=UTC))
            for _ in range(12):
                season.change_something(athlete)
    for athlete in range(len(USERS)):
        season.list_all(athlete)

    await handle(database, *season.messages, one_by_one=True)
    wanted = await state(database)
    assert sum(row[3] == "recorded" for row in wanted[0]) > 50
    assert len(wanted[1]) > 5

    for attempt in range(SHUFFLES):
        await delete_all(database)
        shuffled = rng.sample(season.messages, len(season.messages))
        shuffled += rng.sample(season.messages, 10)  # and some come again
        for at in range(0, len(shuffled), 1 + 4 * attempt):
            await handle(database, *shuffled[at : at + 1 + 4 * attempt])
        assert await state(database) == wanted, attempt
        told = newest_events(await emitted(database))
        assert told.keys() == {row[0] for row in wanted[0] if row[3] == "recorded"}
