"""The outbox: events are written with the effect that they tell of, and published afterwards, once committed."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import structlog
import uuid_utils.compat as uuid_utils
from aio_pika.abc import AbstractChannel, AbstractRobustConnection
from opentelemetry import propagate
from sqlalchemy import Row, bindparam, column, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.db import EMITTED, Sessions
from shared.events import Event
from shared.topology import exchange_name

BATCH = 200  # rows published in one step; the step's transaction stays open meanwhile
PUBLISH_TIMEOUT_S = 5.0
_BACKOFF_S = (1, 2, 5, 10, 30)

log = structlog.stdlib.get_logger(__name__)

_insert = (
    table(
        "outbox",
        column("id"),
        column("exchange"),
        column("routing_key"),
        column("headers", JSONB),
        column("body"),
    )
    .insert()
    .inline()
)
_lead = text("select pg_try_advisory_xact_lock(hashtextextended('outbox:' || current_schema(), 0))")
_due = text(
    """select seq, id, exchange, routing_key, headers, body, attempts from outbox
       where next_at <= now() order by seq limit :batch for update skip locked"""
)
_delete = text("delete from outbox where seq = any(:seqs)")
_postpone = text(
    """update outbox set attempts = attempts + 1, next_at = now() + :wait, last_error = :error
       where seq = :seq"""
).bindparams(bindparam("wait"))


async def emit(session: AsyncSession, *events: Event) -> None:
    """Write events to the outbox, in the caller's transaction: they exist if and only if it commits."""
    if not events:
        return
    now = datetime.now(UTC)
    await session.execute(_insert, [_envelope(event, uuid_utils.uuid7(), now) for event in events])
    session.info[EMITTED] = True


def _envelope(event: Event, event_id: UUID, now: datetime) -> dict[str, Any]:
    headers = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(event_id),
        "cloudEvents_source": f"/{event.producer}",
        "cloudEvents_type": event.event_type(),
        "cloudEvents_subject": event.subject,
        "cloudEvents_time": now.isoformat(),
    }
    # The trace of the request that caused the event, not of the relay that publishes it later.
    propagate.inject(headers)
    return {
        "id": event_id,
        "exchange": exchange_name(event.producer),
        "routing_key": event.routing_key(),
        "headers": headers,
        "body": event.model_dump_json(),
    }


class Relay:
    """Publishes what the outbox holds: one leader a service, confirmed before deleted, never giving up."""

    def __init__(self, sessions: Sessions, amqp_url: str, name: str, poll_interval_s: float) -> None:
        self._sessions = sessions
        self._amqp_url = amqp_url
        self._name = name
        self._poll_interval_s = poll_interval_s
        self._stopping = asyncio.Event()
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractChannel | None = None
        self.beat_at = datetime.now(UTC)

    async def run(self) -> None:
        """Relay until `stop`; the step at work is finished first. Failures are logged and tried again."""
        failures = 0
        while not self._stopping.is_set():
            self.beat_at = datetime.now(UTC)
            self._sessions.outbox_filled.clear()
            try:
                full = await self._step() == BATCH
                failures = 0
            except Exception as error:  # whatever it is, the events must still go out
                log.warning("outbox waits", error=type(error).__name__)
                full = False
                failures += 1
            if not full:
                await self._wait(self._poll_interval_s * min(2**failures, 40))
        if self._connection is not None:
            await self._connection.close()

    def stop(self) -> None:
        """Ask `run` to end after its present step."""
        self._stopping.set()
        self._sessions.outbox_filled.set()

    async def _wait(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._sessions.outbox_filled.wait()

    async def _step(self) -> int:
        """Publish one batch; returns how many rows it looked at, 0 when another replica leads."""
        async with self._sessions.engine.begin() as connection:
            if not (await connection.execute(_lead)).scalar_one():
                return 0
            rows = (await connection.execute(_due, {"batch": BATCH})).all()
            if not rows:
                return 0
            channel = await self._open_channel()
            outcomes = await asyncio.gather(*(_publish(channel, row) for row in rows), return_exceptions=True)
            await _settle(connection, rows, outcomes)
            return len(rows)

    async def _open_channel(self) -> AbstractChannel:
        # Its own connection: under a memory alarm the broker stops reading one that publishes, acks included.
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            if self._connection is None or self._connection.is_closed:
                self._connection = await aio_pika.connect_robust(
                    self._amqp_url, timeout=5, client_properties={"connection_name": f"{self._name} relay"}
                )
                self._channel = None
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel


async def _publish(channel: AbstractChannel, row: Row[Any]) -> None:
    async with asyncio.timeout(PUBLISH_TIMEOUT_S):
        exchange = await channel.get_exchange(row.exchange, ensure=False)
        await exchange.publish(
            aio_pika.Message(
                row.body.encode(),
                headers=row.headers,
                message_id=str(row.id),
                type=row.headers["cloudEvents_type"],
                timestamp=datetime.fromisoformat(row.headers["cloudEvents_time"]),
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            ),
            routing_key=row.routing_key,
            mandatory=True,
        )


async def _settle(connection: AsyncConnection, rows: Any, outcomes: list[BaseException | None]) -> None:
    confirmed = [row.seq for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
    await connection.execute(_delete, {"seqs": confirmed})
    failed = [(row, outcome) for row, outcome in zip(rows, outcomes, strict=True) if outcome is not None]
    for row, error in failed:
        wait = timedelta(seconds=_BACKOFF_S[min(row.attempts, len(_BACKOFF_S) - 1)])
        await connection.execute(_postpone, {"seq": row.seq, "wait": wait, "error": json.dumps(type(error).__name__)})
    if failed:
        log.warning("publishing failed", rows=len(failed), error=type(failed[0][1]).__name__)
