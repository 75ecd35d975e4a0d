"""What both sides of the bus benchmark do their work on."""

from datetime import UTC, datetime
from uuid import uuid4

from shared.contracts.events import ActivityRecorded
from shared.contracts.queues import exchange_name

PER_TRANSACTION = 20
BATCH = 200
QUEUE = "bench.activity"
EXCHANGE = exchange_name(ActivityRecorded.producer)


def events(count: int) -> list[ActivityRecorded]:
    """Activities as ingest records them."""
    now = datetime.now(UTC)
    return [
        ActivityRecorded(
            user_id=uuid4(),
            strava_id=9_000_000_000 + number,
            version=1,
            reason="fetched",
            sport_type="Run",
            start_at=now,
            local_start=now.replace(tzinfo=None),
            distance_m=10_000.0 + number,
            moving_time_s=3_000,
            elapsed_time_s=3_100,
            elev_gain_m=84.0,
            trainer=False,
            commute=False,
            manual=False,
            visibility="everyone",
        )
        for number in range(count)
    ]
