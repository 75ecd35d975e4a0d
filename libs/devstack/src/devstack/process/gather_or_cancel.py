"""Several things at once, of which the first trouble is raised as it is."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def gather_or_cancel(*work: Awaitable[Any]) -> list[Any]:
    """Wait for all and return their results in order; the first error calls off the rest.

    A task group would raise it inside an exception group, which no `except StackError` catches; nor does
    raising anew below `except*` help, because that is wrapped again.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
