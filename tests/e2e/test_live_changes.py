"""What happens at Strava is on the boards moments later, told by Strava's webhooks."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from devstack.process.supervisor import Supervisor
from devstack.servers.servers import discard_report
from devstack.stack.idle import fetch_rows
from devstack.stack.smoke import sign_in_all
from devstack.stack.stack import DatasetOptions, Stack, StackConfig, running_stack
from stravasim.control.client import ControlClient
from testkit.waiting import wait_until


class Live:
    """A running system, its simulated Strava, and what its running board shows."""

    def __init__(self, stack: Stack, strava: ControlClient, boards: httpx.AsyncClient) -> None:
        self.stack = stack
        self.strava = strava
        self._boards = boards

    async def rows(self) -> dict[str, Decimal]:
        """Display name -> distance."""
        answer = await self._boards.get("/challenges/main/boards/running")
        return {row["display_name"]: Decimal(str(row["distance_m"])) for row in answer.json()["rows"]}

    async def total(self) -> Decimal:
        return sum((await self.rows()).values(), Decimal(0))

    async def wait_for_total(self, total: Decimal) -> None:
        async def is_so() -> bool:
            return await self.total() == total

        await wait_until(is_so, f"all distances add up to {total}", 40)

    async def users(self) -> list[Any]:
        return await fetch_rows(self.stack.database_urls["auth"], "select athlete_id from users")


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    dataset = DatasetOptions(athletes=3, days=20)
    config = StackConfig(dataset, None, durable=False, log_level="WARNING", freshness_s=2)
    async with (
        Supervisor() as supervisor,
        running_stack(config, supervisor, discard_report) as stack,
        ControlClient(stack.strava_url) as strava,
        httpx.AsyncClient(base_url=stack.leaderboard_url) as boards,
    ):
        await sign_in_all(stack, stack.athletes, 3)
        yield Live(stack, strava, boards)


async def test_what_strava_tells_of_is_on_the_board_moments_later(live: Live) -> None:
    async def is_subscribed() -> bool:
        return (await live.strava.get_webhooks())["subscription"] is not None

    async def is_listed() -> bool:
        [row] = await fetch_rows(
            live.stack.database_urls["sync"], "select count(last_synced_at) as listed from athletes"
        )
        return row["listed"] == 3

    await wait_until(is_subscribed, "webhooks are subscribed to")
    await wait_until(is_listed, "everybody is listed")
    athlete = live.stack.athletes[0].id

    async def upload(**fields: object) -> int:
        run = {"sport_type": "Run", "trainer": False, "elapsed_time": 3000, "moving_time": 3000}
        return int((await live.strava.add_activity(athlete, **run, **fields))["id"])

    first = await upload(distance=12_345.0, start_date=_at(live, 1))
    await wait_until(live.total, "the boards are there")
    before = await _settled_total(live, Decimal("12345.00"))
    second = await upload(distance=1_000.0, start_date=_at(live, 2))
    await live.wait_for_total(before + 1_000)
    await live.strava.update_activity(athlete, second, visibility="only_me", distance=500.0)
    await live.wait_for_total(before)  # nobody has chosen that private ones count
    await live.strava.update_activity(athlete, second, visibility="everyone")
    await live.wait_for_total(before + 500)
    await live.strava.delete_activity(athlete, second)
    await live.wait_for_total(before)
    await live.strava.update_activity(athlete, first, sport_type="Yoga")
    await live.wait_for_total(before - 12_345)

    assert len(await live.users()) == 3
    assert await live.strava.revoke(athlete)

    async def is_forgotten() -> bool:
        [left] = await fetch_rows(
            live.stack.database_urls["sync"],
            f"""select (select count(*) from athletes where athlete_id = {athlete})
                    + (select count(*) from webhook_events where athlete_id = {athlete}) as rows""",
        )
        return len(await live.users()) == 2 and len(await live.rows()) <= 2 and left["rows"] == 0

    await wait_until(is_forgotten, "who has left at Strava is forgotten")
    counts = await live.strava.get_request_counts()
    assert counts["rate_limited"] == 0


def _at(live: Live, hour: int) -> str:
    """A time of the challenge's last day at which nobody else does anything."""
    latest = max(one["start_date"] for athlete in live.stack.athletes for one in athlete.activities)
    return f"{latest[:10]}T0{hour}:00:00Z"


async def _settled_total(live: Live, included: Decimal) -> Decimal:
    """The total once that activity is in it."""

    async def is_scored() -> bool:
        rows = await fetch_rows(
            live.stack.database_urls["leaderboard"], f"select 1 from activities where distance_m = {included}"
        )
        return bool(rows)

    await wait_until(is_scored, "the upload is scored")
    previous = Decimal(-1)

    async def is_stable() -> bool:
        nonlocal previous
        current, before = await live.total(), previous
        previous = current
        return current == before

    await wait_until(is_stable, "the boards stand still")
    return await live.total()
