"""Keeping standings current: load what a change can touch, judge it, save the differences, announce them."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import Change, list_activities_between, lock_people, lock_scoring
from leaderboard.activities.rules import Activity
from leaderboard.activities.use_cases import load_connected_days
from leaderboard.challenges.queries import (
    BoardVersion,
    ChangedBoards,
    ScoredVersion,
    list_challenges,
    list_changed,
    list_live_versions,
    list_scored_versions,
    next_revision,
)
from leaderboard.challenges.rules import is_running, local_day
from leaderboard.standings import queries
from leaderboard.standings.queries import DayKey, MilestoneChange
from leaderboard.standings.rules.scoring import Totals, judge, sum_days
from leaderboard.standings.rules.snapshots import KEPT_PLACES_DAYS, is_snapshot_due
from shared.contracts.events import StandingsChanged
from shared.database.engine import Database
from shared.messaging.outbox import emit

#: Activities of one person that are judged while others wait; whoever has more on the days of a change, or connected
#: with them, is left to the task.
CROWD = 500
ANNOUNCE_BATCH = 10_000  # changes, of which each transaction makes one for each board


async def update_standings(session: AsyncSession, changes: Sequence[Change]) -> None:
    """Compute anew what these changes can touch, and nothing else; the caller holds the locks of their users."""
    if not changes:
        return
    waiting = await queries.count_requests(session, {change.user_id for change in changes})
    versions = await list_scored_versions(session)
    loaded = await load_connected_days(
        session, (change for change in changes if change.user_id not in waiting), CROWD
    )
    if loaded.crowded:
        await queries.add_recalculations(session, loaded.crowded)
    wanted = _score(versions, {user_id: own.values() for user_id, own in loaded.activities.items()})
    looked_at = {
        (version.id, user_id, day) for user_id, own in loaded.days.items() for day in own for version in versions
    }
    await _save_totals(session, versions, wanted, looked_at - wanted.keys())


async def recalculate_next(database: Database, before: datetime) -> bool:
    """Compute all standings of the one who has waited longest, since before then; returns whether somebody has.

    Without their lock, and beside the event loop, so that nobody waits for it. What comes meanwhile requests another.
    """
    async with database.transaction() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # of one moment
        waiting = await queries.find_recalculation(session, before)
        if waiting is None:
            return False
        versions = await list_scored_versions(session)
        activities = await load_scored_activities(session, versions, [waiting.user_id])
    wanted = await asyncio.to_thread(_score, versions, activities)
    async with database.transaction() as session:
        await lock_people(session, [waiting.user_id])
        present_versions = {version.id for version in await list_scored_versions(session)}
        computed = [version for version in versions if version.id in present_versions]
        newest = max((version.id for version in versions), default=0)
        if await queries.finish_recalculation(session, waiting, newest):
            if present_versions - {version.id for version in computed}:
                await queries.add_recalculations(session, [waiting.user_id])
            present = await queries.get_all_daily_totals(
                session, [version.id for version in computed], [waiting.user_id]
            )
            await _save_differences(session, computed, wanted, present)
    return True


async def rescore(session: AsyncSession, versions: Sequence[ScoredVersion], user_ids: Collection[UUID]) -> None:
    """Compute all standings of these users on these versions; the caller holds their locks."""
    activities = await load_scored_activities(session, versions, user_ids)
    wanted = await asyncio.to_thread(_score, versions, activities)
    present = await queries.get_all_daily_totals(session, [version.id for version in versions], user_ids)
    await _save_differences(session, versions, wanted, present)


async def load_scored_activities(
    session: AsyncSession, versions: Sequence[ScoredVersion], user_ids: Collection[UUID]
) -> dict[UUID, list[Activity]]:
    """The activities of these users on the days of these versions."""
    found: dict[UUID, list[Activity]] = defaultdict(list)
    if versions:
        first_day = min(version.challenge.first_day for version in versions)
        last_day = max(version.challenge.last_day for version in versions)
        for user_id, activity in await list_activities_between(session, user_ids, first_day, last_day):
            found[user_id].append(activity)
    return found


def _score(
    versions: Sequence[ScoredVersion], activities: Mapping[UUID, Collection[Activity]]
) -> dict[DayKey, Totals]:
    scored: dict[DayKey, Totals] = {}
    for user_id, own in activities.items():
        for version in versions:
            # Those of other sports would be judged, too, and not count.
            eligible = [activity for activity in own if activity.sport_type in version.board.sport_types]
            judged = judge(version.challenge, version.board, eligible)
            for day, totals in sum_days(version.board, eligible, judged).items():
                scored[version.id, user_id, day] = totals
    return scored


async def _save_differences(
    session: AsyncSession,
    versions: Sequence[ScoredVersion],
    wanted: Mapping[DayKey, Totals],
    present: Mapping[DayKey, Totals],
) -> None:
    """Make the daily totals `present` be as `wanted`, on these versions, and the standings with them."""
    ids = {version.id for version in versions}
    changed = {
        key: totals for key, totals in wanted.items() if key[0] in ids and totals != present.get(key, Totals())
    }
    await _save_totals(session, versions, changed, present.keys() - wanted.keys())


async def _save_totals(
    session: AsyncSession,
    versions: Sequence[ScoredVersion],
    totals: Mapping[DayKey, Totals],
    gone: Collection[DayKey],
) -> None:
    """Save totals of days on these versions, and note which boards changed, and what may have in milestones."""
    if not (totals or gone):
        return
    live = {version.id: version for version in versions if isinstance(version, BoardVersion) and version.is_live}
    boards: set[int] = set()
    milestones: list[MilestoneChange] = []
    for each in await queries.save_totals(session, totals, gone):
        version = live.get(each.version_id)
        if version is None:
            continue
        threshold = version.board.threshold
        if threshold is None:
            boards.add(version.board_id)
        elif max(each.before, each.after) >= threshold:  # of who is below it and was there is nothing to be said
            milestones.append(MilestoneChange(version.board_id, each.user_id, each.first_day))
    if boards:
        await queries.add_board_changes(session, boards)
    if milestones:
        await queries.add_milestone_changes(session, milestones)


async def announce_changes(database: Database, now: datetime) -> None:
    """Emit which boards changed, once for all transactions since the last time.

    Their commits came before the revision, so that whoever reads at that revision sees them.
    """
    async with database.transaction() as session:
        changed = await queries.take_board_changes(session, ANNOUNCE_BATCH)
        for challenge in await list_changed(session, changed) if changed else []:
            await emit(session, await _to_event(session, challenge, now))


async def snapshot_places(database: Database, now: datetime) -> None:
    """Write down the places in each challenge that is running, once for each of its local days.

    At the first call after midnight there. Days that are over for a week are deleted. Nobody scores meanwhile.
    """
    async with database.transaction() as session:
        due = [one for one in await list_challenges(session) if is_snapshot_due(one, one.placed_on, now)]
    for challenge in due:
        today = local_day(challenge, now)
        async with database.transaction() as session:
            await lock_scoring(session)
            await queries.delete_places(session, challenge.id, today - timedelta(days=KEPT_PLACES_DAYS))
            if not is_running(challenge, today):
                await queries.forget_places(session, challenge.id)
            elif await queries.save_places(session, challenge.id, today):
                versions = await list_live_versions(session, challenge.id)
                await queries.add_board_changes(session, [version.board_id for version in versions])


async def _to_event(session: AsyncSession, changed: ChangedBoards, now: datetime) -> StandingsChanged:
    return StandingsChanged(
        challenge=changed.slug,
        boards=changed.boards,
        revision=await next_revision(session, changed.challenge_id, now),
        first_day=changed.first_day,
        last_day=changed.last_day,
    )
