"""Concurrent awaitables with cancellation at the first error."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def gather_or_cancel(*awaitables: Awaitable[Any]) -> list[Any]:
    """Wait for all and return their results in order; the first error cancels the others and is raised unchanged.

    `asyncio.TaskGroup` would raise it inside an exception group, which `except StackError` does not catch; an error
    raised inside `except*` is wrapped again.
    """
    tasks = [asyncio.ensure_future(one) for one in awaitables]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
