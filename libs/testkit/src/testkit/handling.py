"""Handing events to a service's handlers without a broker, and what they emit."""

import json
from typing import Any
from uuid import uuid4

from shared.contracts.events import Event
from shared.database.engine import Database
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import Handlers, InboxProcessor, Prepare
from testkit.databases import fetch_rows


async def handle(
    database: Database,
    queue: str,
    handlers: Handlers,
    *events: Event,
    one_by_one: bool = False,
    prepare: Prepare | None = None,
) -> None:
    """Apply the events as one batch, or each as a batch of its own. Raises what a handler raises."""
    processor = InboxProcessor(queue, database, handlers, prepare)
    deliveries = [Delivery(uuid4(), event) for event in events]
    for batch in [[delivery] for delivery in deliveries] if one_by_one else [deliveries]:
        for error in await processor.process(batch):
            if error is not None:
                raise error


async def emitted(database: Database, topic: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Topic and content of each event in the outbox, in order; only of one topic if it is named."""
    rows = await fetch_rows(database, "select routing_key, body from outbox order by seq")
    events = [(row.routing_key.rpartition(".v")[0], json.loads(row.body)) for row in rows]
    return [event for event in events if topic in ("", event[0])]
