"""Waits until a stack has no work left, so that a state that is right only for a moment is not accepted."""

import asyncio
import time
from collections import Counter

import asyncpg

from devstack.stack.stack import Stack
from shared.publisher import Publisher
from shared.topology import QUEUES, RETRY_STEPS, dead_letter_queue, retry_queue

#: Messages that a consumer holds are not counted. Within this time they are handled, which shows in the inbox.
CONFIRM_S = 1.0
POLL_S = 0.1

_PENDING = """select (select count(*) from outbox) as outbox,
    (select count(*) from pg_stat_activity where usename = current_user and state <> 'idle'
         and pid <> pg_backend_pid()) as transactions"""
_OPEN_JOBS = "select count(*) from jobs where closed_at is null"
_HANDLED = "select count(*) from inbox"


async def wait_until_idle(stack: Stack, seconds: float) -> dict[str, int]:
    """Wait until outboxes, queues, retry queues and jobs are empty, for CONFIRM_S without a newly handled message.

    Returns {} or, after `seconds`, the number of pending items by place.
    """
    deadline = time.monotonic() + seconds
    publisher = Publisher(stack.rabbitmq_url, "devstack")
    idle_since, handled_before = time.monotonic(), -1
    try:
        while True:
            pending, handled = await _count_pending(stack, publisher), await _count_handled(stack)
            if pending or handled != handled_before:
                idle_since, handled_before = time.monotonic(), handled
            elif time.monotonic() - idle_since >= CONFIRM_S:
                return {}
            if time.monotonic() > deadline:
                return pending or {"unacknowledged messages": 1}
            await asyncio.sleep(POLL_S)
    finally:
        await publisher.close()


async def count_dead_letters(stack: Stack) -> dict[str, int]:
    """The number of dead letters by queue, without empty queues."""
    publisher = Publisher(stack.rabbitmq_url, "devstack")
    try:
        counts = {queue: await publisher.depth(queue) for queue in map(dead_letter_queue, QUEUES)}
    finally:
        await publisher.close()
    return {queue: count for queue, count in counts.items() if count}


async def _count_pending(stack: Stack, publisher: Publisher) -> dict[str, int]:
    pending = Counter[str]()
    for queue in QUEUES:
        for name in (queue, *(retry_queue(queue, step) for step in RETRY_STEPS)):
            pending[name] = await publisher.depth(name)
    for service, url in stack.database_urls.items():
        for row in await fetch_rows(url, _PENDING):
            pending[f"{service} outbox"], pending[f"{service} transactions"] = row["outbox"], row["transactions"]
    pending["jobs"] = (await fetch_rows(stack.database_urls["sync"], _OPEN_JOBS))[0]["count"]
    return {name: count for name, count in pending.items() if count}


async def _count_handled(stack: Stack) -> int:
    return sum([(await fetch_rows(url, _HANDLED))[0]["count"] for url in stack.database_urls.values()])


async def fetch_rows(database_url: str, statement: str) -> list[asyncpg.Record]:
    """Run one statement on a new connection; returns its rows."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
