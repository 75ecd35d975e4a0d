"""From when on activities are kept, and that it is told once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from leaderboard_helpers import MAY_20, add_challenge, build, handle, metres, midnight_in_warsaw, month

from leaderboard.activities.use_cases import purge_activities
from leaderboard.admin.use_cases import close_expired
from leaderboard.challenges.rules import RETENTION_DAYS, kept_from
from leaderboard.challenges.use_cases import announce_retention
from leaderboard.versions.use_cases import begin_rebuild
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, authorized, recorded, removed
from testkit.handling import emitted

#: 90 days before the beginning of that day.
FEB_19 = datetime(2026, 2, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("challenges", "now", "kept"),
    [
        ([], MAY_20, None),
        ([month(5)], MAY_20, FEB_19),
        ([month(6)], MAY_20, FEB_19),
        ([month(2)], MAY_20, midnight_in_warsaw(2, 23)),  # it ended 81 days ago
        ([month(1)], MAY_20, FEB_19),  # it ended 109 days ago
        ([month(2), month(5)], MAY_20, midnight_in_warsaw(2, 23)),
        ([month(1)], datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2025, 12, 30, 23, tzinfo=UTC)),  # 90 days ago
        ([month(1)], datetime(2026, 5, 2, 12, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_activities_are_kept_for_90_days_after_the_end_of_their_challenge(
    challenges: list[Any], now: datetime, kept: datetime | None
) -> None:
    assert kept_from(challenges, now) == kept
    assert RETENTION_DAYS == 90


async def told(database: Database) -> list[str]:
    return [event["before"] for _, event in await emitted(database, "retention.advanced")]


async def test_a_day_is_told_once_and_a_challenge_of_earlier_days_moves_it_back(database: Database) -> None:
    await announce_retention(database, MAY_20)
    assert await told(database) == []
    await add_challenge(database, (date(2026, 5, 1), date(2026, 5, 31)))
    for hours in (0, 1, 2, 24):
        await announce_retention(database, MAY_20 + timedelta(hours=hours))
    assert await told(database) == ["2026-02-19T00:00:00Z", "2026-02-20T00:00:00Z"]
    await execute(database, "update challenges set first_day = '2026-02-01'")
    await announce_retention(database, MAY_20 + timedelta(hours=25))
    assert (await told(database))[2:] == ["2026-01-30T23:00:00Z"]


async def test_what_is_not_kept_is_deleted_once_its_challenge_is_closed_and_the_results_stay(
    database: Database,
) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1), recorded(2, day=3), removed(9))
    await execute(
        database, "insert into exclusions (strava_id, excluded_by, user_id) values (1, 'participant', :id)", id=ANNA
    )
    now = datetime(2026, 8, 29, 12, tzinfo=UTC)  # 90 days after the end
    await announce_retention(database, now)
    assert not await purge_activities(database, now)  # it is not closed
    tomorrow = now + timedelta(days=1)
    await close_expired(database, now)
    await close_expired(database, tomorrow)
    await announce_retention(database, tomorrow)
    assert await purge_activities(database, tomorrow)
    assert not await purge_activities(database, tomorrow)
    assert not await purge_activities(database, tomorrow)
    rows = await fetch_rows(database, "select strava_id from activities")
    assert await fetch_rows(database, "select 1 from exclusions") == []
    assert [row.strava_id for row in rows] == [9]  # the mark of what was removed before it was known
    assert set((await metres(database)).values()) == {20_000}
    closed = await fetch_rows(database, "select actor, action from audit_log")
    assert [tuple(row) for row in closed] == [("retention", "challenge.closed")]
    await begin_rebuild(database)
    await build(database)
    assert set((await metres(database)).values()) == {20_000}
