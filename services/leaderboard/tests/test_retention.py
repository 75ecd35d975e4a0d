"""From when on activities are kept, and that it is told once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from leaderboard_helpers import MAY_20, add_challenge, midnight_in_warsaw, month

from leaderboard.challenges.rules import RETENTION_DAYS, kept_from
from leaderboard.challenges.use_cases import announce_retention
from shared.database.engine import Database
from testkit.databases import execute
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
