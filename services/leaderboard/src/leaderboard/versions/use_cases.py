"""Changing the rules of boards: other standings are built beside those that are shown, and then shown all at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard import metrics
from leaderboard.activities.queries import count_activities, has_activities, lock_people, lock_scoring
from leaderboard.challenges.queries import (
    list_boards,
    list_building_versions,
    to_challenge,
    to_rule_columns,
    to_rules,
)
from leaderboard.challenges.rules import Board, Challenge
from leaderboard.standings.queries import add_board_changes, add_recalculations, count_requests
from leaderboard.standings.use_cases import CROWD, rescore
from leaderboard.tables import BoardRow, BoardVersionRow, ChallengeRow
from leaderboard.versions import queries
from leaderboard.versions.queries import Drift
from shared.database.engine import Database

log = structlog.stdlib.get_logger(__name__)

BUILD_BATCH = 200  # people, of whom so many are scored in one transaction as have
BUILD_ACTIVITIES = 4 * CROWD  # activities together; whoever has more alone is left to the task
CHECK_HOUR = 2  # in UTC, when most people who train are asleep
PREVIEWS_KEPT = timedelta(days=1)
NEW_PREVIEWS = 5  # of boards that do not exist, for each challenge
DELETE_BATCH = 5_000  # rows of each table


async def publish_rules(
    session: AsyncSession, challenge_id: int, challenge: Challenge, boards: Mapping[int, Board]
) -> bool:
    """Have these boards, by their ids, scored by these rules and then shown; returns whether anything is different.

    At once when there are no activities. Until it is built, what was shown stays. Takes the lock of scoring.
    """
    await lock_scoring(session)
    is_empty = not await has_activities(session)
    changed: list[int] = []
    for board_id, board in boards.items():
        rules = to_rule_columns(challenge, board)
        present = await queries.find_versions(session, board_id)
        if present and _has(present[0], rules):
            continue
        await queries.retire_unpublished(session, board_id, "publication")
        if not present or not _has(present[-1], rules):
            state = "built" if is_empty else "building"
            await queries.insert_version(session, board_id, rules, "publication", state)
        changed.append(board_id)
    if not boards:
        await queries.set_challenge_rules(session, challenge_id, vars(challenge))
    elif changed and is_empty:
        await add_board_changes(session, await queries.publish(session, challenge_id))
    return bool(changed)


def _has(version: BoardVersionRow, rules: Mapping[str, object]) -> bool:
    return all(getattr(version, name) == value for name, value in rules.items())


async def find_next_boards(session: AsyncSession, row: ChallengeRow) -> dict[str, Board]:
    """The boards of a challenge by their slugs, as they will be as soon as everything is built."""
    targets = await _find_targets(session, row)
    return {slug: to_rules(version, board) for slug, (board, version) in targets.items()}


async def find_next_rules(session: AsyncSession, row: ChallengeRow) -> Challenge:
    """The days of a challenge and what counts, as they will be as soon as everything is built."""
    targets = await _find_targets(session, row)
    newest = max((version for _, version in targets.values()), key=lambda one: one.id, default=None)
    return to_challenge(row if newest is None else newest)


async def _find_targets(session: AsyncSession, row: ChallengeRow) -> dict[str, tuple[BoardRow, BoardVersionRow]]:
    """Each board with what is shown of it, or with what will be as soon as it is built."""
    found = {}
    for board in await list_boards(session, row.id):
        versions = await queries.find_versions(session, board.id)
        if versions:
            found[board.slug] = (board, versions[0])
    return found


async def preview_rules(session: AsyncSession, board_id: int, challenge: Challenge, board: Board) -> int:
    """Begin to build what a board would be by these rules, instead of an earlier preview; returns the version."""
    await lock_scoring(session)
    await queries.retire_unpublished(session, board_id, "preview")
    rules = to_rule_columns(challenge, board)
    return (await queries.insert_version(session, board_id, rules, "preview", "building")).id


async def preview_new_rules(session: AsyncSession, challenge_id: int, challenge: Challenge, board: Board) -> int:
    """Begin to build what a board that does not exist would be by these rules; returns the version.

    Whoever asks for the same gets the same. Of a challenge the latest few are kept.
    """
    await lock_scoring(session)
    rules = to_rule_columns(challenge, board)
    previews = await queries.list_new_previews(session, challenge_id)
    same = next((preview for preview in previews if _has(preview, rules)), None)
    if same is not None:
        await queries.renew(session, same)
        return same.id
    for preview in previews[NEW_PREVIEWS - 1 :]:
        preview.state = "retired"
    return (await queries.insert_new_preview(session, challenge_id, rules)).id


async def adopt_preview(
    session: AsyncSession, challenge_id: int, board_id: int, challenge: Challenge, board: Board
) -> None:
    """Let a preview by these rules be what the new board is shown by, so that it need not be computed once more."""
    await lock_scoring(session)
    rules = to_rule_columns(challenge, board)
    for preview in await queries.list_new_previews(session, challenge_id):
        if _has(preview, rules):
            preview.board_id, preview.challenge_id, preview.purpose = board_id, None, "publication"
            await session.flush()
            return


async def retire_old_previews(database: Database, now: datetime) -> None:
    """Drop previews that were asked for long ago: each event costs something for each version that is kept."""
    async with database.transaction() as session:
        if await queries.has_previews(session, now - PREVIEWS_KEPT):
            await lock_scoring(session)
            await queries.retire_previews(session, now - PREVIEWS_KEPT)


async def build_next(database: Database) -> bool:
    """Score the next people on the versions that are not complete; returns whether there are such versions."""
    async with database.transaction() as session:
        await lock_people(session, [])  # no version comes or goes meanwhile
        versions = await list_building_versions(session)
        if not versions:
            return False
        ids = [version.id for version in versions]
        after = await queries.get_built_until(session, ids)
        counts = await count_activities(session, after, BUILD_BATCH)
        batch = _take_batch(counts)
        await lock_people(session, batch)
        crowds = {user_id for user_id in batch if counts[user_id] > BUILD_ACTIVITIES}
        waiting = await count_requests(session, batch)
        if crowds - waiting:
            await add_recalculations(session, crowds - waiting)
        await rescore(session, versions, [user_id for user_id in batch if user_id not in crowds | waiting])
        await queries.save_progress(session, ids, batch[-1] if batch else None)
    return True


def _take_batch(counts: Mapping[UUID, int]) -> list[UUID]:
    """The first of these users, with as many activities as are scored together; at least one."""
    batch: list[UUID] = []
    total = 0
    for user_id, count in counts.items():
        total += min(count, BUILD_ACTIVITIES)
        if batch and total > BUILD_ACTIVITIES:
            break
        batch.append(user_id)
    return batch


async def publish_complete(database: Database) -> bool:
    """Show what is complete, all boards of a challenge at once; returns whether there was something."""
    async with database.transaction() as session:
        if not await queries.list_complete_challenges(session):
            return False
        await lock_scoring(session)
        for challenge_id in await queries.list_complete_challenges(session):
            await add_board_changes(session, await queries.publish(session, challenge_id))
    return True


async def begin_check(database: Database) -> int:
    """Begin to compute all that is shown once more, to compare it; returns how many boards that are."""
    async with database.transaction() as session:
        await lock_scoring(session)
        return await queries.copy_live(session, "check")


async def check_nightly(database: Database, now: datetime) -> bool:
    """Begin the check of a day once, from CHECK_HOUR on, and finish those that are computed; never busy."""
    if now.hour >= CHECK_HOUR:
        async with database.transaction() as session:
            # Of nobody's activities there is nothing to compare; the first ones would be scored for it, too.
            is_due = await queries.save_check_begun(session, now.date()) and await has_activities(session)
        if is_due:
            await begin_check(database)
    await finish_checks(database)
    async with database.transaction() as session:
        last = await queries.find_last_drift(session)
    if last is not None:
        metrics.DRIFT.set(last)
    return False


async def begin_rebuild(database: Database) -> int:
    """Compute all that is shown once more, and show that instead; returns how many boards that are."""
    async with database.transaction() as session:
        await lock_scoring(session)
        return await queries.copy_live(session, "publication")


async def finish_checks(database: Database) -> list[Drift]:
    """Compare the checks that are complete with what is shown, and show them where that differs."""
    async with database.transaction() as session:
        if not await queries.find_checked(session):
            return []
        await lock_scoring(session)
        drifts = [await queries.measure_drift(session, board_id) for board_id in await queries.find_checked(session)]
        for drift in drifts:
            if drift.totals:
                log.error("standings had drifted", board_id=drift.board_id, totals=drift.totals)
                await queries.replace_with_check(session, drift.board_id)
                await add_board_changes(session, [drift.board_id])
            await queries.retire_unpublished(session, drift.board_id, "check")
        await queries.add_drift(session, sum(drift.totals for drift in drifts))
    return drifts


async def delete_retired(database: Database) -> bool:
    """Delete some of what is not used any more; returns whether there is more."""
    async with database.transaction() as session:
        return await queries.delete_retired(session, DELETE_BATCH)
