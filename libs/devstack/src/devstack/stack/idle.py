"""Waits until a stack has no work left, so that a state that is right only for a moment is not accepted."""

import asyncio
import time
from collections import Counter

import asyncpg

from devstack.servers.roles import open_connection
from devstack.stack.stack import Stack
from shared.contracts.queues import QUEUES, RETRY_STEPS, dead_letter_queue, retry_queue
from shared.messaging.publisher import Publisher

#: Messages that a consumer holds are not counted. Within this time they are handled, which shows in the inbox.
CONFIRM_S = 1.0
POLL_S = 0.1

_WORK = """select (select count(*) from outbox) as outbox,
    (select count(*) from pg_stat_activity where usename = current_user and state <> 'idle'
         and pid <> pg_backend_pid()) as transactions,
    (select count(*) from inbox) as handled"""
_UNANNOUNCED = "select (select count(*) from board_changes) + (select count(*) from recalculations) as count"
_OPEN_JOBS = "select count(*) from jobs where closed_at is null"


async def wait_until_idle(stack: Stack, seconds: float) -> dict[str, int]:
    """Wait until outboxes, queues, retry queues and jobs are empty, for CONFIRM_S without a newly handled message.

    Returns {} or, after `seconds`, the number of pending items by place.
    """
    deadline = time.monotonic() + seconds
    publisher = Publisher(stack.rabbitmq_url, "devstack")
    idle_since, handled_before = time.monotonic(), -1
    try:
        while True:
            pending, handled = await _count_work(stack, publisher)
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
        counts = {queue: await publisher.queue_depth(queue) for queue in map(dead_letter_queue, QUEUES)}
    finally:
        await publisher.close()
    return {queue: count for queue, count in counts.items() if count}


async def _count_work(stack: Stack, publisher: Publisher) -> tuple[dict[str, int], int]:
    """The number of pending items by place, without empty places; and of all messages ever handled."""
    pending = Counter[str]()
    handled = 0
    for queue in QUEUES:
        for name in (queue, *(retry_queue(queue, step) for step in RETRY_STEPS)):
            pending[name] = await publisher.queue_depth(name)
    for service, url in stack.database_urls.items():
        [row] = await fetch_rows(url, _WORK)
        pending[f"{service} outbox"], pending[f"{service} transactions"] = row["outbox"], row["transactions"]
        handled += row["handled"]
    [row] = await fetch_rows(stack.database_urls["sync"], _OPEN_JOBS)
    pending["jobs"] = row["count"]
    [row] = await fetch_rows(stack.database_urls["leaderboard"], _UNANNOUNCED)
    pending["boards to announce"] = row["count"]
    return {name: count for name, count in pending.items() if count}, handled


async def fetch_rows(database_url: str, statement: str) -> list[asyncpg.Record]:
    """Run one statement on a new connection; returns its rows."""
    async with open_connection(database_url) as connection:
        return list(await connection.fetch(statement))
