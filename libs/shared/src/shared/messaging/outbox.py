"""The outbox: events are written in the transaction of their cause, and published afterwards, once committed."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import aio_pika
import structlog
import uuid_utils.compat as uuid_utils
from opentelemetry import propagate
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.contracts.envelope import encode_attributes, find_attribute, find_time
from shared.contracts.events import Event
from shared.contracts.queues import exchange_name
from shared.database.engine import EMITTED, Database
from shared.messaging.publisher import Publisher
from shared.observability import metrics

PENDING_LIMIT = 100_000  # no count goes further
BATCH = 200  # rows published in one step; the step's transaction stays open meanwhile
STEP_S = 10.0  # after which a step publishes nothing more; far below the limit of an idle transaction
_BACKOFF_S = (1, 2, 5, 10, 30)  # of one row that the broker refused
_LONGEST_WAIT_S = 10.0  # while the broker or the database is away

log = structlog.stdlib.get_logger(__name__)

Outcomes: TypeAlias = list[tuple[Row[Any], Exception | None]]

_insert = text(
    """insert into outbox (id, exchange, routing_key, headers, body)
       select * from unnest(cast(:id as uuid[]), cast(:exchange as text[]), cast(:routing_key as text[]),
           cast(:headers as jsonb[]), cast(:body as text[]))"""
)
# Nothing is due for the replica that does not get the lock, which ends with the transaction, however that ends.
_due = text(
    """select seq, id, exchange, routing_key, headers, body, attempts from outbox
       where next_at <= now()
         and (select pg_try_advisory_xact_lock(hashtextextended('outbox:' || current_schema(), 0)))
       order by seq limit :batch for update skip locked"""
)
_delete = text("delete from outbox where seq = any(:seqs)")
_postpone = text(
    """update outbox
       set attempts = attempts + 1, next_at = now() + make_interval(secs => :wait_s), last_error = :error
       where seq = :seq"""
)
_pending = text("select count(*) from (select 1 from outbox limit :limit) as counted")
_oldest = text("select headers->>'cloudEvents_time' from outbox order by seq limit 1")


async def emit(session: AsyncSession, *events: Event) -> None:
    """Write events to the outbox, in the caller's transaction: they exist if and only if it commits."""
    if not events:
        return
    now = datetime.now(UTC)
    # The trace of the request that caused the events, not of the relay that publishes them later.
    trace: dict[str, str] = {}
    propagate.inject(trace)
    rows = [_to_row(event, uuid_utils.uuid7(), now, trace) for event in events]
    await session.execute(_insert, {name: [row[name] for row in rows] for name in rows[0]})
    session.info[EMITTED] = True


def _to_row(event: Event, event_id: UUID, now: datetime, trace: dict[str, str]) -> dict[str, Any]:
    headers = encode_attributes(event, event_id, now) | trace
    return {
        "id": event_id,
        "exchange": exchange_name(event.producer),
        "routing_key": event.routing_key(),
        "headers": json.dumps(headers),
        "body": event.model_dump_json(),
    }


class Relay:
    """Publishes what the outbox holds: one leader a service, confirmed before deleted, never giving up."""

    def __init__(self, database: Database, amqp_url: str, name: str, poll_interval_s: float) -> None:
        self._sessions = database
        self._publisher = Publisher(amqp_url, f"{name} relay")
        self._poll_interval_s = poll_interval_s
        self._stopping = asyncio.Event()
        self.heartbeat_at = datetime.now(UTC)

    async def run(self) -> None:
        """Relay until `stop`, and once more then. Failures are logged and tried again."""
        failures = 0
        last = False
        try:
            while not last:
                last = self._stopping.is_set()
                self.heartbeat_at = datetime.now(UTC)
                self._sessions.outbox_filled.clear()
                try:
                    more = await self._step()
                    failures = 0
                except Exception as error:  # of any kind: the events must still be published
                    log.warning("outbox waits", error=type(error).__name__)
                    more = False
                    failures += 1
                if not more and not last:
                    await self._wait(failures)
        finally:
            await self._publisher.close()

    def stop(self) -> None:
        """Ask `run` to end, after a last step for what was committed until now."""
        self._stopping.set()
        self._sessions.outbox_filled.set()

    async def _wait(self, failures: int) -> None:
        # After a failure new events are no reason to hurry: they meet the same error.
        wake = self._stopping if failures else self._sessions.outbox_filled
        wait_s = max(self._poll_interval_s, min(self._poll_interval_s * 2 ** min(failures, 10), _LONGEST_WAIT_S))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await wake.wait()

    async def _step(self) -> bool:
        """Publish one batch; returns whether there is more to do at once. Nothing is when another replica leads."""
        async with self._sessions.engine.begin() as connection:
            rows = (await connection.execute(_due, {"batch": BATCH})).all()
            if not rows:
                return False
            end = asyncio.get_running_loop().time() + STEP_S
            await self._publisher.open()  # fails here, and for all of them, when the broker is away
            with metrics.OUTBOX_PUBLISH.time():
                outcomes = await self._publish_all(rows, end)
            confirmed = await _settle(connection, outcomes)
        return confirmed == BATCH or 0 < confirmed == len(outcomes) < len(rows)

    async def _publish_all(self, rows: Sequence[Row[Any]], end: float) -> Outcomes:
        """Those that failed before go alone: one that closes the channel fails all that share it.

        What it does not get to before `end`, in the loop's time, has no outcome and is as it was.
        """
        outcomes = await self._publish_together([row for row in rows if not row.attempts])
        for row in (row for row in rows if row.attempts):
            if asyncio.get_running_loop().time() > end:
                break
            alone = await self._publish_together([row])
            outcomes += alone
            if isinstance(alone[0][1], OSError):  # the broker is away: the rest would fail too
                break
        return outcomes

    async def _publish_together(self, rows: Sequence[Row[Any]]) -> Outcomes:
        errors = await self._publisher.publish_all([(_message(row), row.exchange, row.routing_key) for row in rows])
        return list(zip(rows, errors, strict=True))


def _message(row: Row[Any]) -> aio_pika.Message:
    return aio_pika.Message(
        row.body.encode(),
        headers=row.headers,
        message_id=str(row.id),
        type=find_attribute(row.headers, "type"),
        timestamp=find_time(row.headers),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


async def _settle(connection: AsyncConnection, outcomes: Outcomes) -> int:
    """Delete what was confirmed and postpone the rest; returns the number of the former."""
    confirmed = [row.seq for row, error in outcomes if error is None]
    failed = [
        {
            "seq": row.seq,
            "wait_s": _BACKOFF_S[min(row.attempts, len(_BACKOFF_S) - 1)],
            "error": type(error).__name__,
        }
        for row, error in outcomes
        if error is not None
    ]
    results = Counter((row.routing_key, "confirmed" if error is None else "failed") for row, error in outcomes)
    for (routing_key, result), count in results.items():
        metrics.OUTBOX_PUBLISHED.labels(routing_key, result).inc(count)
    if confirmed:
        await connection.execute(_delete, {"seqs": confirmed})
    if failed:
        await connection.execute(_postpone, failed)
        log.warning("publishing failed", rows=len(failed), error=failed[0]["error"])
    return len(confirmed)


async def update_metrics(database: Database) -> None:
    """Set the gauges of what waits in the outbox."""
    async with database.engine.connect() as connection:
        pending = (await connection.execute(_pending, {"limit": PENDING_LIMIT})).scalar_one()
        oldest = (await connection.execute(_oldest)).scalar_one_or_none()
    metrics.OUTBOX_PENDING.set(pending)
    since = None if oldest is None else datetime.fromisoformat(oldest)
    # Told when it is asked for, so that it grows on while the database is away.
    metrics.OUTBOX_OLDEST_AGE.set_function(
        lambda: 0.0 if since is None else (datetime.now(UTC) - since).total_seconds()
    )
