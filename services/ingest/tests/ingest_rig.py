"""Events for ingest, and what it makes of them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text

from ingest.handlers import make_handlers
from shared.contracts.events import ActivityFetched, AthleteListed, Event
from shared.database.engine import Database
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import InboxProcessor

USER = UUID(int=1)
NOW = datetime(2026, 5, 20, tzinfo=UTC)
TABLES = ("activities", "rejected", "listings", "outbox", "inbox")


def fetched(strava_id: int = 1, seq: int = 1, user: UUID = USER, **fields: Any) -> ActivityFetched:
    usual: dict[str, Any] = {"sport_type": "Run", "start_date": "2026-05-01T06:00:00Z", "distance": 1000.0}
    return ActivityFetched(
        user_id=user, athlete_id=7, fetch_seq=seq, fetched_at=NOW, id=strava_id, **{**usual, **fields}
    )


def nonsense(strava_id: int = 1, seq: int = 1) -> ActivityFetched:
    return fetched(strava_id, seq, distance=-1.0)


def listed(*ids: int, seq: int = 1, after: datetime | None = None, user: UUID = USER) -> AthleteListed:
    return AthleteListed(user_id=user, fetch_seq=seq, after=after, before=NOW, strava_ids=ids)


async def handle(database: Database, *events: Event, one_by_one: bool = False) -> None:
    processor = InboxProcessor("ingest.activity", database, make_handlers(ZoneInfo("Europe/Warsaw")))
    deliveries = [Delivery(uuid4(), event) for event in events]
    for batch in [[one] for one in deliveries] if one_by_one else [deliveries]:
        for error in await processor.process(batch):
            if error is not None:
                raise error


async def rows(database: Database, statement: str) -> list[Any]:
    async with database.transaction() as session:
        return list(await session.execute(text(statement)))


async def clear(database: Database) -> None:
    async with database.transaction() as session:
        for table in TABLES:
            await session.execute(text(f"delete from {table}"))  # of a few rows: quicker than truncate


async def on_record(database: Database) -> dict[int, float]:
    """The activities on record and their distances."""
    found = await rows(database, "select strava_id, distance_m from activities where removed_at is null")
    return {row.strava_id: float(row.distance_m) for row in found}


async def rejected(database: Database) -> dict[int, int]:
    """The rejected activities and the fetch that had them so."""
    return {row.strava_id: row.fetch_seq for row in await rows(database, "select * from rejected")}


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """What was emitted, in order."""
    found = await rows(database, "select routing_key, body from outbox order by seq")
    return [(row.routing_key.removesuffix(".v1"), json.loads(row.body)) for row in found]


def believed(events: Sequence[tuple[str, dict[str, Any]]]) -> dict[int, float]:
    """What a consumer that goes by the versions holds for true."""
    newest: dict[int, tuple[str, dict[str, Any]]] = {}
    for topic, event in sorted(events, key=lambda one: one[1]["version"]):
        newest[event["strava_id"]] = topic, event
    return {key: event["distance_m"] for key, (topic, event) in newest.items() if topic != "activity.removed"}
