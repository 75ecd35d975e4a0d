"""The outbox: events are written with the effect that they tell of, and published afterwards, once committed."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import structlog
import uuid_utils.compat as uuid_utils
from opentelemetry import propagate
from sqlalchemy import Row, column, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.db import EMITTED, Sessions
from shared.events import Event
from shared.publisher import Publisher
from shared.topology import exchange_name

BATCH = 200  # rows published in one step; the step's transaction stays open meanwhile
_BACKOFF_S = (1, 2, 5, 10, 30)  # of one row that the broker refused
_LONGEST_WAIT_S = 10.0  # while the broker or the database is away

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
    """update outbox
       set attempts = attempts + 1, next_at = now() + make_interval(secs => :wait_s), last_error = :error
       where seq = :seq"""
)


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
        self._publisher = Publisher(amqp_url, f"{name} relay")
        self._poll_interval_s = poll_interval_s
        self._stopping = asyncio.Event()
        self.beat_at = datetime.now(UTC)

    async def run(self) -> None:
        """Relay until `stop`, and once more then. Failures are logged and tried again."""
        failures = 0
        last = False
        try:
            while not last:
                last = self._stopping.is_set()
                self.beat_at = datetime.now(UTC)
                self._sessions.outbox_filled.clear()
                try:
                    full = await self._step() == BATCH
                    failures = 0
                except Exception as error:  # whatever it is, the events must still go out
                    log.warning("outbox waits", error=type(error).__name__)
                    full = False
                    failures += 1
                if not full and not last:
                    await self._wait(failures)
        finally:
            await self._publisher.close()

    def stop(self) -> None:
        """Ask `run` to end, after a last step for what was committed until now."""
        self._stopping.set()
        self._sessions.outbox_filled.set()

    async def _wait(self, failures: int) -> None:
        # After a failure new events are no reason to hurry: they meet the same trouble.
        wake = self._stopping if failures else self._sessions.outbox_filled
        wait_s = max(self._poll_interval_s, min(self._poll_interval_s * 2 ** min(failures, 10), _LONGEST_WAIT_S))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await wake.wait()

    async def _step(self) -> int:
        """Publish one batch; returns how many rows it looked at, 0 when another replica leads."""
        async with self._sessions.engine.begin() as connection:
            if not (await connection.execute(_lead)).scalar_one():
                return 0
            rows = (await connection.execute(_due, {"batch": BATCH})).all()
            if not rows:
                return 0
            await self._publisher.open()  # fails here, and for all of them, when the broker is away
            outcomes = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            await _settle(connection, rows, outcomes)
            return len(rows)

    async def _publish(self, row: Row[Any]) -> None:
        message = aio_pika.Message(
            row.body.encode(),
            headers=row.headers,
            message_id=str(row.id),
            type=row.headers["cloudEvents_type"],
            timestamp=datetime.fromisoformat(row.headers["cloudEvents_time"]),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._publisher.publish(message, row.exchange, row.routing_key)


async def _settle(
    connection: AsyncConnection, rows: Sequence[Row[Any]], outcomes: Sequence[BaseException | None]
) -> None:
    results = list(zip(rows, outcomes, strict=True))
    confirmed = [row.seq for row, error in results if error is None]
    failed = [
        {
            "seq": row.seq,
            "wait_s": _BACKOFF_S[min(row.attempts, len(_BACKOFF_S) - 1)],
            "error": type(error).__name__,
        }
        for row, error in results
        if error is not None
    ]
    if confirmed:
        await connection.execute(_delete, {"seqs": confirmed})
    if failed:
        await connection.execute(_postpone, failed)
        log.warning("publishing failed", rows=len(failed), error=failed[0]["error"])
