"""Which activities sync is told to fetch."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from leaderboard_helpers import MAY_20, Scheduled, add_challenge, midnight_in_warsaw, month

from leaderboard.challenges.rules import LATE_UPLOADS, needed_since
from leaderboard.challenges.use_cases import announce_fetch_window
from shared.database.engine import Database
from testkit.databases import execute
from testkit.handling import emitted


@pytest.mark.parametrize(
    ("challenges", "now", "since"),
    [
        ([month(5)], MAY_20, midnight_in_warsaw(5)),
        ([month(5), month(6)], MAY_20, midnight_in_warsaw(5)),
        ([month(6)], MAY_20, midnight_in_warsaw(6)),
        ([month(4), month(5)], MAY_20, midnight_in_warsaw(5)),
        ([month(4), month(5)], datetime(2026, 5, 7, 12, tzinfo=UTC), midnight_in_warsaw(4)),
        ([month(4), month(5)], datetime(2026, 5, 8, 12, tzinfo=UTC), midnight_in_warsaw(5)),
        ([month(3), month(4)], MAY_20 + timedelta(days=60), midnight_in_warsaw(4)),
        ([month(3), month(4)], MAY_20 + timedelta(days=200), None),  # nothing of them is kept
        ([Scheduled(date.min, date.max)], MAY_20, datetime(1970, 12, 30, 23, tzinfo=UTC)),
        ([], MAY_20, None),
    ],
)
def test_activities_are_needed_from_the_earliest_challenge_that_is_not_over(
    challenges: list[Any], now: datetime, since: datetime | None
) -> None:
    assert needed_since(challenges, now) == since
    assert timedelta(days=7) == LATE_UPLOADS


async def told(database: Database) -> list[str | None]:
    return [event["since"] for _, event in await emitted(database, "fetch_window.changed")]


async def test_a_change_is_told_once(database: Database) -> None:
    await announce_fetch_window(database, MAY_20)
    await announce_fetch_window(database, MAY_20)
    assert await told(database) == [None]
    await add_challenge(database, (date(2026, 5, 1), date(2026, 5, 31)))
    for _ in range(3):
        await announce_fetch_window(database, MAY_20)
    assert await told(database) == [None, "2026-04-29T22:00:00Z"]
    await execute(database, "update challenges set first_day = '2026-04-01'")
    await announce_fetch_window(database, MAY_20 + timedelta(hours=1))
    assert (await told(database))[-1] == "2026-03-30T22:00:00Z"
    await execute(database, "delete from boards")
    await execute(database, "delete from challenges")
    await announce_fetch_window(database, MAY_20)
    assert (await told(database))[-1] is None
