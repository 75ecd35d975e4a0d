"""ingest's handlers, what they recorded, and what a consumer would make of what they emitted."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from ingest.main import QUEUE, make_handlers
from ingest.recording.handlers import lock_people
from ingest.tables import Base
from shared.contracts.events import ActivityFetched, Event
from shared.database.engine import Database
from testkit import handling
from testkit.databases import empty_tables, fetch_rows
from testkit.events import fetched
from testkit.handling import emitted

ZONE = ZoneInfo("Europe/Warsaw")


def unusable(strava_id: int = 1, fetch_seq: int = 1) -> ActivityFetched:
    """A fetched activity that cannot be recorded."""
    return fetched(strava_id, fetch_seq, distance=-1.0)


async def handle(database: Database, *events: Event, one_by_one: bool = False) -> None:
    await handling.handle(database, QUEUE, make_handlers(ZONE), *events, one_by_one=one_by_one, prepare=lock_people)


async def delete_all(database: Database) -> None:
    await empty_tables(database, Base.metadata)


async def recorded_distances(database: Database) -> dict[int, float]:
    """The activities on record and their distances."""
    found = await fetch_rows(database, "select strava_id, distance_m from activities where state = 'recorded'")
    return {row.strava_id: float(row.distance_m) for row in found}


async def rejected_fetches(database: Database) -> dict[int, int]:
    """The rejected activities and the fetch that had them so."""
    rows = await fetch_rows(database, "select * from rejected")
    states = await fetch_rows(database, "select strava_id from activities where state = 'rejected'")
    assert {row.strava_id for row in rows} == {row.strava_id for row in states}
    return {row.strava_id: row.fetch_seq for row in rows}


def newest_events(events: Sequence[tuple[str, dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """The activities that a consumer has that goes by the versions."""
    newest: dict[int, tuple[str, dict[str, Any]]] = {}
    for topic, event in sorted(events, key=lambda one: one[1].get("version", 0)):
        newest[event["strava_id"]] = topic, event
    return {key: event for key, (topic, event) in newest.items() if topic != "activity.removed"}


def distances_by_version(events: Sequence[tuple[str, dict[str, Any]]]) -> dict[int, float]:
    """Their distances."""
    return {key: event["distance_m"] for key, event in newest_events(events).items()}


async def overlapping_pairs(database: Database) -> set[tuple[int, int]]:
    """Who names whom on record, which consumers know as well."""
    found = await fetch_rows(database, "select strava_id, overlaps_with from activities where state = 'recorded'")
    named = {(row.strava_id, other) for row in found for other in row.overlaps_with}
    told = newest_events([one for one in await emitted(database) if one[0].startswith("activity.")])
    assert named == {(strava_id, other) for strava_id, event in told.items() for other in event["overlaps_with"]}
    assert named == {(other, one) for one, other in named}
    return {(one, other) for one, other in named if one < other}
