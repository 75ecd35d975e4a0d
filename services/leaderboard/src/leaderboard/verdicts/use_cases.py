"""Choosing what counts, and explaining what does."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import Change, find_activity, lock_people
from leaderboard.activities.rules import Activity, get_span
from leaderboard.activities.use_cases import load_connected_days
from leaderboard.challenges.queries import BoardVersion
from leaderboard.standings.rules.scoring import Judgement, judge
from leaderboard.standings.use_cases import update_standings
from leaderboard.verdicts import queries
from leaderboard.verdicts.rules import find_overlaps
from shared.errors import Conflict, NotFound

PAGE_ACTIVITIES = 50  # after so many a page ends with the day
PAGE_DAYS = 31
#: Of one person on the days of a page; nobody trains so often.
EXPLAINED_ACTIVITIES = 5_000
#: Shown beside the challenge's own days, so that "too late" and "too early" can be seen.
MARGIN = timedelta(days=1)

ExcludedBy = Literal["participant", "organiser"]


@dataclass(frozen=True)
class Explained:
    """The activities of some days, the latest first, and the judgements of each board."""

    activities: Sequence[Activity]
    judgements: Sequence[tuple[BoardVersion, dict[int, Judgement]]]
    overlaps: dict[int, list[int]]
    next_until: date | None


async def exclude(
    session: AsyncSession, strava_id: int, owner: UUID | None, excluded_by: ExcludedBy, reason: str = ""
) -> UUID | None:
    """Let an activity count nowhere; returns whose it is if that is new. `owner` None: whoever. Raises NotFound."""
    user_id, activity = await _lock_activity(session, strava_id, owner)
    if not await queries.save_exclusion(session, strava_id, user_id, excluded_by, reason):
        return None
    await _rescore(session, user_id, activity)
    return user_id


async def include(session: AsyncSession, strava_id: int, owner: UUID | None, excluded_by: ExcludedBy) -> UUID | None:
    """Take an exclusion back; returns whose activity it is if there was one. Raises NotFound."""
    user_id, activity = await _lock_activity(session, strava_id, owner)
    if not await queries.delete_exclusion(session, strava_id, excluded_by):
        return None
    await _rescore(session, user_id, activity)
    return user_id


async def prefer(session: AsyncSession, strava_id: int, owner: UUID) -> None:
    """Let an activity count instead of those that it overlaps. Raises NotFound."""
    user_id, activity = await _lock_activity(session, strava_id, owner)
    if await queries.prefer(session, strava_id, user_id):
        await _rescore(session, user_id, activity)


async def prefer_no_more(session: AsyncSession, strava_id: int, owner: UUID) -> None:
    """Leave to the rules which of overlapping activities counts. Raises NotFound."""
    user_id, activity = await _lock_activity(session, strava_id, owner)
    if await queries.delete_preference(session, strava_id):
        await _rescore(session, user_id, activity)


async def _lock_activity(session: AsyncSession, strava_id: int, owner: UUID | None) -> tuple[UUID, Activity]:
    found = await find_activity(session, strava_id)
    if found is None or owner not in {None, found[0]}:
        raise NotFound("There is no such activity on record.")
    await lock_people(session, [found[0]])
    again = await find_activity(session, strava_id)  # as it is under the lock
    if again is None or again[0] != found[0]:
        raise NotFound("There is no such activity on record.")
    return again


async def _rescore(session: AsyncSession, user_id: UUID, activity: Activity) -> None:
    span = get_span(activity.start_at, activity.local_start, activity.elapsed_time_s)
    await update_standings(session, [Change(user_id, activity.day, span)])


async def explain(
    session: AsyncSession,
    versions: Sequence[BoardVersion],
    user_id: UUID,
    days: tuple[date, date],
    until: date | None,
) -> Explained:
    """The latest activities of a user until that day, in and just beside the challenge's days. Raises Conflict."""
    first_day = days[0] - MARGIN if days[0] > date.min else days[0]
    last_day = days[1] + MARGIN if days[1] < date.max - MARGIN else days[1]
    found = await queries.list_days(session, user_id, first_day, min(until or last_day, last_day), PAGE_DAYS + 1)
    page: list[date] = []
    total = 0
    for row in found[:PAGE_DAYS]:
        if total >= PAGE_ACTIVITIES:
            break
        page.append(row.day)
        total += row.activities
    loaded = await load_connected_days(session, [Change(user_id, day, None) for day in page], EXPLAINED_ACTIVITIES)
    if user_id in loaded.crowded:
        raise Conflict(f"More than {EXPLAINED_ACTIVITIES} activities of these days cannot be shown.")
    own = list(loaded.activities[user_id].values())
    judgements, overlaps = await asyncio.to_thread(_judge, versions, own)
    shown = [activity for activity in own if activity.day in set(page)]
    shown.sort(key=lambda activity: (activity.local_start, activity.strava_id), reverse=True)
    next_until = found[len(page)].day if len(found) > len(page) else None
    return Explained(shown, judgements, overlaps, next_until)


def _judge(
    versions: Sequence[BoardVersion], activities: Collection[Activity]
) -> tuple[list[tuple[BoardVersion, dict[int, Judgement]]], dict[int, list[int]]]:
    judged = [(version, judge(version.challenge, version.board, activities)) for version in versions]
    return judged, find_overlaps(activities)
