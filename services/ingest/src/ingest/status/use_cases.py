"""Trying rejected activities again, after the mapping has learned to read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from ingest.dependencies import ApiContext
from ingest.recording.queries import list_rejected_after, lock_people
from ingest.recording.rules.mapping import RawActivity
from ingest.recording.use_cases import Fetch, record_fetches

REPLAY_BATCH = 200  # activities in one transaction


async def replay_rejected(context: ApiContext) -> tuple[int, int]:
    """Map every rejected activity again; returns how many there were and how many are not rejected any more."""
    tried, still, after = 0, 0, 0
    while True:
        async with context.database.transaction() as session:
            rows = await list_rejected_after(session, after, REPLAY_BATCH)
        if not rows:
            return tried, tried - still
        async with context.database.transaction() as session:
            await lock_people(session, {row.user_id for row in rows})
            await record_fetches(session, _to_fetches(rows), context.default_time_zone)
            remaining = await list_rejected_after(session, after, len(rows))
        after = rows[-1].strava_id
        tried += len(rows)
        still += sum(row.strava_id <= after for row in remaining)


def _to_fetches(rows: Sequence[Row[Any]]) -> list[Fetch]:
    known = RawActivity.__dataclass_fields__
    return [
        Fetch(
            row.message_id,
            row.user_id,
            row.fetch_seq,
            row.fetched_at or datetime.now(UTC),
            RawActivity(**{name: value for name, value in _with_tuples(row.fields).items() if name in known}),
        )
        for row in rows
    ]


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"malformed": tuple(fields.get("malformed", ()))}
