"""Loading what a change can touch, and deleting what is not kept."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities import queries
from leaderboard.activities.queries import Change
from leaderboard.activities.rules import Activity, Span, merge_spans
from leaderboard.challenges.queries import find_purge, list_challenges, save_purged
from leaderboard.challenges.rules import list_expired
from shared.database.engine import Database

PURGE_BATCH = 2_000  # activities in one transaction


@dataclass
class ConnectedDays:
    """Days of people, which no activity connects with another day by an overlap, and all activities on them."""

    days: dict[UUID, set[date]] = field(default_factory=lambda: defaultdict(set))
    activities: dict[UUID, dict[int, Activity]] = field(default_factory=lambda: defaultdict(dict))
    crowded: set[UUID] = field(default_factory=set)  # who has more on them than the limit; nothing of them is here


async def load_connected_days(session: AsyncSession, changes: Iterable[Change], limit: int) -> ConnectedDays:
    """The days of the changes and those that overlaps connect with them; at most `limit` activities of a person."""
    loaded = ConnectedDays()
    spans: set[tuple[UUID, Span]] = set()
    missing: set[tuple[UUID, date]] = set()
    for change in changes:
        missing.add((change.user_id, change.day))
        if change.span:
            spans.add((change.user_id, change.span))
    while missing:
        for user_id, day in missing:
            loaded.days[user_id].add(day)
        for user_id, activity in await queries.list_activities_on(session, missing, limit + 1):
            loaded.activities[user_id][activity.strava_id] = activity
            if activity.span:
                spans.add((user_id, activity.span))
        _drop(loaded, {user_id for user_id, own in loaded.activities.items() if len(own) > limit})
        overlapping = await queries.count_overlapping(session, _merge(spans, loaded), limit)
        _drop(loaded, {user_id for (user_id, _), count in overlapping.items() if count > limit})
        missing = {
            (user_id, day)
            for user_id, day in overlapping
            if user_id not in loaded.crowded and day not in loaded.days[user_id]
        }
        spans = set()
    return loaded


def _drop(loaded: ConnectedDays, user_ids: set[UUID]) -> None:
    loaded.crowded |= user_ids
    for user_id in user_ids:
        loaded.days.pop(user_id, None)
        loaded.activities.pop(user_id, None)


def _merge(spans: set[tuple[UUID, Span]], loaded: ConnectedDays) -> list[tuple[UUID, Span]]:
    by_user: dict[UUID, list[Span]] = defaultdict(list)
    for user_id, span in spans:
        by_user[user_id].append(span)
    return [
        (user_id, span)
        for user_id, own in by_user.items()
        if user_id not in loaded.crowded
        for span in merge_spans(own)
    ]


async def purge_activities(database: Database, now: datetime) -> bool:
    """Delete some of what is not kept any more; returns whether there may be more.

    Only once every challenge of that time is closed: nothing of those is computed any more.
    """
    async with database.transaction() as session:
        before = await find_purge(session)
        if before is None or any(row.closed_at is None for row in list_expired(await list_challenges(session), now)):
            return False
        deleted = await queries.purge_activities(session, before, PURGE_BATCH)
        if not deleted:
            await save_purged(session, before)
    return deleted > 0
