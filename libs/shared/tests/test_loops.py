"""Background loops outlive their failures."""

import asyncio

import pytest

from shared.background import PeriodicTask


async def test_a_step_may_fail_for_days() -> None:
    stopping = asyncio.Event()
    calls = 0

    async def step() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1100:  # 2 to the power of that is more than a float can be
            stopping.set()
        raise ValueError

    await PeriodicTask(step, 0.0).run(stopping)
    assert calls == 1100


async def test_a_busy_step_is_called_again_at_once_and_the_stop_ends_a_long_pause() -> None:
    stopping = asyncio.Event()
    left = [True, True, False]

    async def step() -> bool:
        return left.pop(0)

    loop = asyncio.create_task(PeriodicTask(step, 3600).run(stopping))
    async with asyncio.timeout(5):
        while left:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stopping.set()
        await loop


async def test_a_cancellation_is_not_swallowed() -> None:
    loop = asyncio.create_task(PeriodicTask(asyncio.Event().wait, 1).run(asyncio.Event()))
    await asyncio.sleep(0)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_what_makes_a_step_due_ends_a_long_pause_also_if_it_comes_while_the_step_runs() -> None:
    stopping, due, calls = asyncio.Event(), asyncio.Event(), 0

    async def step() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            due.set()
        return False

    loop = asyncio.create_task(PeriodicTask(step, 3600, due).run(stopping))
    async with asyncio.timeout(5):
        while calls < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert not due.is_set()
        due.set()
        while calls < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stopping.set()
        await loop
    assert calls == 3
