"""The smoke test also finds an error that appears after every row was right."""

import asyncio
import json
import uuid

import pytest

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.stack.idle import fetch_rows
from devstack.stack.smoke import run_smoke_test
from devstack.stack.stack import DatasetOptions, Stack, StackConfig, running_stack
from testkit.waiting import wait_until

#: The id and user of an activity that certainly counts on a board.
_COUNTED_ACTIVITY = """select strava_id, user_id from activities
    where sport_type in ('Run', 'Ride') and not trainer order by distance_m desc limit 1"""
FETCH_S = 60
DELAY_S = 12  # longer than it takes until all rows of this small dataset are right


async def remove_late(stack: Stack) -> None:
    """Make ingest publish, after DELAY_S seconds, that an existing activity was removed."""
    url = stack.database_urls["ingest"]
    [activity] = await wait_until(lambda: fetch_rows(url, _COUNTED_ACTIVITY), "an activity that counts", FETCH_S)
    body = {
        "user_id": str(activity["user_id"]),
        "strava_id": activity["strava_id"],
        "version": 2**53 - 1,
        "reason": "deleted",
    }
    message_id = str(uuid.uuid4())
    headers = {
        "cloudEvents_type": "gruppetto.activity.removed.v1",
        "cloudEvents_id": message_id,
        "cloudEvents_time": "2026-11-01T00:00:00+00:00",
    }
    await fetch_rows(
        url,
        f"""insert into outbox (id, exchange, routing_key, headers, body, next_at)
            values ('{message_id}', 'ev.ingest', 'activity.removed.v1', '{json.dumps(headers)}', '{json.dumps(body)}',
                    now() + interval '{DELAY_S} s')""",
    )


@pytest.mark.long
async def test_a_wrong_effect_that_comes_after_every_row_was_right_is_found() -> None:
    reported: list[str] = []
    async with Supervisor() as supervisor:
        config = StackConfig(DatasetOptions(athletes=2, days=10), None, reserve_ports(1)[0], durable=False)
        async with running_stack(config, supervisor, reported.append) as stack:
            planting = asyncio.create_task(remove_late(stack))
            result = await run_smoke_test(stack, reported.append)
            await planting
    assert result.mismatches > 0, reported
    assert any(line.startswith("mismatch: board") for line in reported)
