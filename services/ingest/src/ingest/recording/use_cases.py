"""Changing the record: what was saved, what overlaps since, and what is emitted of both."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from ingest import metrics
from ingest.recording import overlap_queries, queries
from ingest.recording.overlap_queries import Place
from ingest.recording.queries import FACTS, Evidence, RejectedFetch
from ingest.recording.rules.mapping import Activity, RawActivity, Rejected, map_activity
from ingest.recording.rules.overlaps import can_overlap, find_changed_overlaps
from ingest.recording.rules.states import decide_state
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised, Event
from shared.messaging.outbox import emit


@dataclass(frozen=True)
class Fetch:
    """An activity as Strava gave it, to whom, when, and the message that it came in."""

    message_id: UUID | None
    user_id: UUID
    fetch_seq: int
    fetched_at: datetime
    raw: RawActivity


async def record_fetches(session: AsyncSession, fetches: Collection[Fetch], default_time_zone: tzinfo) -> None:
    """Record what was fetched, the newest of each activity; the caller holds the locks of the users."""
    people, kept_from = await queries.load_people(session, {fetch.user_id for fetch in fetches})
    ordered = sorted(fetches, key=lambda fetch: fetch.fetch_seq)
    newest = {fetch.raw.id: fetch for fetch in ordered if not people[fetch.user_id].is_erased}
    batch: list[Evidence] = []
    rejected: list[RejectedFetch] = []
    for fetch in newest.values():
        outcome = map_activity(fetch.raw, default_time_zone, fetch.fetched_at)
        person = people[fetch.user_id]
        state, reason = decide_state(
            outcome,
            fetch.fetch_seq,
            person.listings,
            private_activities=person.private_activities,
            kept_from=kept_from,
        )
        batch.append(
            Evidence(
                strava_id=fetch.raw.id,
                user_id=fetch.user_id,
                fetch_seq=fetch.fetch_seq,
                message_id=fetch.message_id,
                state=state,
                reason=reason,
                activity=outcome if isinstance(outcome, Activity) and state == "recorded" else None,
            )
        )
        if isinstance(outcome, Rejected):
            rejected.append(_to_rejected(fetch, outcome))
    if batch:
        await save_evidence(session, batch, rejected)


def _to_rejected(fetch: Fetch, outcome: Rejected) -> RejectedFetch:
    return RejectedFetch(
        strava_id=fetch.raw.id,
        user_id=fetch.user_id,
        fetch_seq=fetch.fetch_seq,
        reason=outcome.reason,
        fetched_at=fetch.fetched_at,
        start_at=outcome.start_at,
        fields=_to_json(fetch.raw),
    )


def _to_json(raw: RawActivity) -> str | None:
    """What Strava said, for the database; None when it has numbers that JSON cannot write."""
    try:
        return json.dumps(vars(raw), allow_nan=False)
    except ValueError:
        return None


async def save_evidence(
    session: AsyncSession, batch: Collection[Evidence], rejected: Collection[RejectedFetch] = ()
) -> None:
    """Store what Strava said and emit what changed by that; the caller holds the locks of the users."""
    saved = await queries.upsert_evidence(session, batch)
    rejected_before = [row.strava_id for row in saved if row.old_state == "rejected" and row.state != "rejected"]
    if rejected_before:
        await queries.delete_rejected(session, rejected_before)
    kept = {row.strava_id for row in saved if row.state == "rejected"}
    if kept:
        await queries.upsert_rejected(session, [one for one in rejected if one.strava_id in kept])
    activities = {one.strava_id: one.activity for one in batch if one.activity is not None}
    versioned = {row.strava_id: row for row in saved if row.is_versioned}
    await _lock_former_users(session, saved)
    places = [
        *_places_left([row for row in saved if row.old_user_id is not None and row.has_moved]),
        *await _places_taken(session, [row for row in saved if row.has_moved], activities),
    ]
    fresh, others = await _update_overlaps(session, places, set(versioned))
    events = [
        _to_removed(row)
        if row.state != "recorded"
        else _to_state(row, activities[row.strava_id], fresh.get(row.strava_id, row))
        for row in versioned.values()
    ]
    await _emit(session, [*events, *others])
    metrics.ACTIVITIES.labels("rejected").inc(len(kept))
    metrics.ACTIVITIES.labels("unchanged").inc(len(batch) - len(versioned.keys() | kept))


async def _lock_former_users(session: AsyncSession, saved: Sequence[Row[Any]]) -> None:
    """Who joined again has the activities of their former self, whose others may have overlapped them.

    Not in the common order: of two that wait for each other, one fails and is tried again.
    """
    former = {row.old_user_id for row in saved if row.old_user_id not in (None, row.user_id)}
    if former:
        await queries.lock_people(session, former)


async def save_removals(session: AsyncSession, removed: Sequence[Row[Any]]) -> None:
    """Emit what was taken off the record, and what overlaps less since; the caller holds the locks of the users."""
    _, others = await _update_overlaps(session, _places_left(removed), {row.strava_id for row in removed})
    await _emit(session, [*map(_to_removed, removed), *others])


async def fill_gaps(session: AsyncSession, deleted: Sequence[Row[Any]]) -> None:
    """Emit what overlaps less since these were deleted without a word; the caller holds the locks of the users."""
    _, others = await _update_overlaps(session, _places_left(deleted), set())
    await _emit(session, others)


def _places_left(rows: Sequence[Row[Any]]) -> list[Place]:
    """Where rows were that overlapped something: only there can anything be different without them."""
    return [
        Place(row.old_user_id, row.old_start_at, row.strava_id, row.message_id) for row in rows if row.had_overlaps
    ]


async def _places_taken(
    session: AsyncSession, rows: Sequence[Row[Any]], activities: dict[int, Activity]
) -> list[Place]:
    """Where rows are that overlap something now; and where those are that did so elsewhere."""
    candidates = {}
    for row in rows:
        activity = activities.get(row.strava_id)
        if row.state != "recorded" or activity is None:
            continue
        if can_overlap(activity.start_is_hidden, activity.elapsed_time_s):
            candidates[row.strava_id] = {**vars(activity), "user_id": row.user_id}
    if not candidates:
        return []
    found = await overlap_queries.list_overlapping(session, list(candidates.values()))
    return [
        Place(row.user_id, activities[row.strava_id].start_at, row.strava_id, row.message_id)
        for row in rows
        if row.strava_id in found or (row.strava_id in candidates and row.had_overlaps)
    ]


async def _update_overlaps(
    session: AsyncSession, places: Sequence[Place], fresh: set[int]
) -> tuple[dict[int, Row[Any]], list[Event]]:
    """Find what overlaps around these places and save what differs.

    Returns what is saved of those in `fresh`, whose versions nobody has seen yet, and the events of the others.
    """
    if not places:
        return {}, []
    changed: dict[int, tuple[int, ...]] = {}
    causes: dict[int, UUID | None] = {}
    for place, near in await overlap_queries.load_neighbourhoods(session, places):
        found = find_changed_overlaps(near.before, near.here, near.after)
        changed |= found
        causes |= dict.fromkeys(found, place.message_id)
    if not changed:
        return {}, []
    saved = await overlap_queries.save_overlaps(session, changed, causes, fresh)
    others: list[Event] = [
        ActivityRevised(
            user_id=row.user_id,
            strava_id=row.strava_id,
            version=row.version,
            reason="fetched",
            changed=tuple(row.changed),
            overlaps_with=tuple(row.overlaps_with),
            **{name: getattr(row, name) for name in FACTS},
        )
        for row in saved
        if not row.is_fresh
    ]
    return {row.strava_id: row for row in saved if row.is_fresh}, others


def _to_state(row: Row[Any], activity: Activity, last: Row[Any]) -> ActivityRecorded | ActivityRevised:
    """The event of a row; `last` is what it was changed to afterwards."""
    kind = ActivityRevised if row.old_state == "recorded" else ActivityRecorded
    return kind(
        user_id=row.user_id,
        version=row.version,
        reason=row.reason,
        changed=tuple(last.changed),
        overlaps_with=tuple(last.overlaps_with),
        **vars(activity),
    )


def _to_removed(row: Row[Any]) -> ActivityRemoved:
    return ActivityRemoved(user_id=row.user_id, strava_id=row.strava_id, version=row.version, reason=row.reason)


async def _emit(session: AsyncSession, events: Sequence[Event]) -> None:
    await emit(session, *events)
    for topic, count in Counter(event.topic for event in events).items():
        metrics.ACTIVITIES.labels(topic.partition(".")[2]).inc(count)
