"""What organisers do with challenges and boards: each is one transaction, with its entry in the audit log."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import lock_scoring
from leaderboard.admin import queries
from leaderboard.admin.rules import FinalStanding, compute_digest, hash_participant
from leaderboard.audit.queries import add_audit_entry
from leaderboard.challenges.queries import (
    find_challenge,
    insert_challenge,
    list_boards,
    list_challenges,
    next_revision,
)
from leaderboard.challenges.rules import Board, Challenge, Metric, PointsRule, days_since_end, list_expired
from leaderboard.dependencies import Actor
from leaderboard.names import fold_name
from leaderboard.standings.queries import add_board_changes
from leaderboard.tables import BoardRow, ChallengeRow
from leaderboard.versions.use_cases import (
    adopt_preview,
    find_next_boards,
    find_next_rules,
    preview_new_rules,
    preview_rules,
    publish_rules,
)
from shared.contracts.events import ChallengeClosed, StandingsChanged
from shared.contracts.leaderboard_admin_api import (
    MAX_BOARDS,
    BoardDefinition,
    BoardEdit,
    BoardRules,
    ChallengeEdit,
    ChallengeRules,
    ChallengeSettings,
    CloneRequest,
    NewChallenge,
    PreviewRequest,
    TeamRules,
)
from shared.database.engine import Database
from shared.errors import Conflict, NotFound
from shared.messaging.outbox import emit

#: Who closes what nobody closed.
RETENTION = Actor("retention")
_RULES = set(ChallengeRules.model_fields)
Found = TypeVar("Found")

log = structlog.stdlib.get_logger(__name__)


async def create_challenge(session: AsyncSession, actor: Actor, new: NewChallenge) -> ChallengeRow:
    """Create a challenge with its boards. Raises Conflict when slug or name are taken."""
    await queries.lock_challenges(session)
    await lock_scoring(session)
    await _require_free(session, new.slug, new.name)
    _require_distinct(new.boards)
    boards = [to_board(board.slug, board.name, board) for board in new.boards]
    row = await insert_challenge(session, new.slug, _columns(new), boards)
    rules_of_teams = {board.slug: board for board in new.boards}
    for board_row in await list_boards(session, row.id):
        _set_team_rules(board_row, rules_of_teams[board_row.slug])
    await _publish(session, row, to_rules_of(new), {board.slug: board for board in boards})
    await add_audit_entry(session, actor, "challenge.created", new.slug, new.model_dump(mode="json"))
    return row


async def edit_challenge(session: AsyncSession, actor: Actor, slug: str, edit: ChallengeEdit, now: datetime) -> None:
    """Change a challenge; other days and rules are shown as soon as they are built. Raises NotFound, Conflict."""
    await queries.lock_challenges(session)
    await lock_scoring(session)
    row = await _lock(session, slug, edit.edition)
    before = {name: getattr(row, name) for name in _columns(edit)}
    rules_differ = any(before[name] != value for name, value in edit.model_dump(include=_RULES).items())
    if rules_differ:
        _require_open(row)
    await _require_free(session, None, edit.name, but=row.id)
    others = {name: value for name, value in _columns(edit).items() if name not in _RULES}
    was_seen = row.visibility != "hidden"
    await queries.update_challenge(session, row.id, others)
    await session.refresh(row)
    if row.closed_at is None:
        await _publish(session, row, to_rules_of(edit), await find_next_boards(session, row))
    changes = {
        name: [_to_json(before[name]), _to_json(value)]
        for name, value in _columns(edit).items()
        if before[name] != value
    }
    await add_audit_entry(session, actor, "challenge.edited", slug, changes)
    if was_seen or edit.visibility != "hidden":
        await _announce(session, row, now)


async def clone_challenge(session: AsyncSession, actor: Actor, slug: str, clone: CloneRequest) -> ChallengeRow:
    """Create a hidden challenge with the boards of another. Raises NotFound, Conflict."""
    await queries.lock_challenges(session)
    await lock_scoring(session)
    source = require(await find_challenge(session, slug), "There is no such challenge.")
    await _require_free(session, clone.slug, clone.name)
    boards = await find_next_boards(session, source)
    rules = Challenge(
        clone.first_day, clone.last_day, source.counts_manual, source.counts_trainer, source.counts_commute
    )
    own = {"name": clone.name, "time_zone": source.time_zone, "team_size": source.team_size}
    hidden = {"visibility": "hidden", "announcement": ""}
    row = await insert_challenge(session, clone.slug, own | hidden | vars(rules), list(boards.values()))
    rules_of_teams = {board.slug: board for board in await list_boards(session, source.id)}
    for board_row in await list_boards(session, row.id):
        _set_team_rules(board_row, rules_of_teams[board_row.slug])
    await _publish(session, row, rules, boards)
    await add_audit_entry(session, actor, "challenge.cloned", clone.slug, {"from": slug})
    return row


async def delete_challenge(session: AsyncSession, actor: Actor, slug: str, now: datetime) -> None:
    """Delete a challenge with everything of it. Raises NotFound."""
    await queries.lock_challenges(session)
    await lock_scoring(session)
    row = await _lock(session, slug)
    await _announce(session, row, now)
    await queries.delete_challenge(session, row.id)
    await add_audit_entry(session, actor, "challenge.deleted", slug)


async def add_board(session: AsyncSession, actor: Actor, slug: str, new: BoardDefinition) -> None:
    """Add a board or a milestone, which is shown as soon as it is built. Raises NotFound, Conflict."""
    await lock_scoring(session)
    row = await _lock(session, slug)
    _require_open(row)
    boards = await list_boards(session, row.id)
    if len(boards) >= MAX_BOARDS:
        raise Conflict(f"A challenge has at most {MAX_BOARDS} boards and milestones.")
    _require_distinct([*boards, new])
    board = await queries.insert_board(session, row.id, new.slug, new.name)
    _set_team_rules(board, new)
    rules, wanted = await find_next_rules(session, row), to_board(new.slug, new.name, new)
    await adopt_preview(session, row.id, board.id, rules, wanted)
    await publish_rules(session, row.id, rules, {board.id: wanted})
    await queries.update_challenge(session, row.id, {})
    await add_audit_entry(session, actor, "board.added", f"{slug}/{new.slug}", new.model_dump(mode="json"))


async def edit_board(session: AsyncSession, actor: Actor, slug: str, board_slug: str, edit: BoardEdit) -> None:
    """Change a board; by other rules it is shown as soon as it is built. Raises NotFound, Conflict."""
    await lock_scoring(session)
    row = await _lock(session, slug, edit.edition)
    board = await find_board(session, row, board_slug)
    others = [one for one in await list_boards(session, row.id) if one is not board]
    _require_distinct([*others, edit], board_slug)
    wanted = to_board(board_slug, edit.name, edit)
    if row.closed_at is None:
        await publish_rules(session, row.id, await find_next_rules(session, row), {board.id: wanted})
    elif (await find_next_boards(session, row))[board_slug] != replace(wanted, name=board.name):
        _require_open(row)
    before = {"name": board.name, "position": board.position}
    board.name, board.position = edit.name, edit.position
    _set_team_rules(board, edit)
    await session.flush()
    await queries.update_challenge(session, row.id, {})
    await add_board_changes(session, [board.id])
    details = {"before": before, "after": edit.model_dump(mode="json", exclude={"edition"})}
    await add_audit_entry(session, actor, "board.edited", f"{slug}/{board_slug}", details)


async def delete_board(session: AsyncSession, actor: Actor, slug: str, board_slug: str, now: datetime) -> None:
    """Delete a board or a milestone. Raises NotFound, Conflict."""
    await lock_scoring(session)
    row = await _lock(session, slug)
    _require_open(row)
    board = await find_board(session, row, board_slug)
    await _announce(session, row, now)
    await queries.delete_board(session, board.id)
    await queries.update_challenge(session, row.id, {})
    await add_audit_entry(session, actor, "board.deleted", f"{slug}/{board_slug}")


async def begin_preview(
    session: AsyncSession, actor: Actor, slug: str, board_slug: str, request: PreviewRequest
) -> None:
    """Begin to build what a board would be by these rules. Raises NotFound, Conflict."""
    await lock_scoring(session)  # before the challenge, as everybody does
    row = await _lock(session, slug)
    _require_open(row)
    board = await find_board(session, row, board_slug)
    rules = to_rules_of(request.challenge) if request.challenge else await find_next_rules(session, row)
    await preview_rules(session, board.id, rules, to_board(board.slug, board.name, request))
    details = request.model_dump(mode="json")
    await add_audit_entry(session, actor, "board.previewed", f"{slug}/{board_slug}", details)


async def begin_new_preview(session: AsyncSession, actor: Actor, slug: str, request: PreviewRequest) -> int:
    """Begin to build what a new board would be by these rules; returns its version. Raises NotFound, Conflict."""
    await lock_scoring(session)
    row = await _lock(session, slug)
    _require_open(row)
    rules = to_rules_of(request.challenge) if request.challenge else await find_next_rules(session, row)
    version_id = await preview_new_rules(session, row.id, rules, to_board("", "", request))
    await add_audit_entry(session, actor, "new_board.previewed", slug, request.model_dump(mode="json"))
    return version_id


async def close_challenge(session: AsyncSession, actor: Actor, slug: str, now: datetime) -> str:
    """Freeze the results of a challenge that is over; returns their digest. Raises NotFound, Conflict."""
    await lock_scoring(session)  # whoever scores has committed, and nobody does until this has
    row = await _lock(session, slug)
    if row.closed_at is not None:
        raise Conflict("The challenge is closed already.")
    if days_since_end(row, now) <= 0:
        raise Conflict("The challenge is not over yet.")
    if await queries.is_being_built(session, row.id):
        raise Conflict("Standings are being computed. Please try again in a moment.")
    rows = [(one.user_id, _to_final(one)) for one in await queries.list_final_figures(session, row.id)]
    digest = compute_digest(slug, [standing for _, standing in rows])
    await queries.insert_final_standings(session, row.id, rows)
    await queries.retire_unpublished_of(session, row.id)
    await queries.close_challenge(session, row.id, now, digest)
    await add_audit_entry(session, actor, "challenge.closed", slug, {"digest": digest, "rows": len(rows)})
    await _announce(session, row, now)
    await emit(session, ChallengeClosed(challenge=slug, digest=digest, closed_at=now))
    return digest


async def close_expired(database: Database, now: datetime) -> None:
    """Close the challenges whose activities will not be kept any more."""
    async with database.transaction() as session:
        expired = [row.slug for row in list_expired(await list_challenges(session), now) if row.closed_at is None]
    for slug in expired:
        try:
            async with database.transaction() as session:
                await close_challenge(session, RETENTION, slug, now)
        except (NotFound, Conflict) as error:  # the next attempt is a minute away
            log.warning("challenge not closed yet", challenge=slug, reason=error.message)


def _to_final(row: Row[Any]) -> FinalStanding:
    names = [field.name for field in fields(FinalStanding) if field.name != "participant"]
    own = {name: getattr(row, name) for name in names}
    return FinalStanding(participant=hash_participant(str(row.user_id)), **own)


def require(found: Found | None, message: str) -> Found:
    """What was found. Raises NotFound."""
    if found is None:
        raise NotFound(message)
    return found


async def find_board(session: AsyncSession, challenge: ChallengeRow, slug: str) -> BoardRow:
    """A board or a milestone of a challenge. Raises NotFound."""
    boards = await list_boards(session, challenge.id)
    return require(next((one for one in boards if one.slug == slug), None), "There is no such board.")


def to_board(slug: str, name: str, rules: BoardRules) -> Board:
    """The board as the rules need it."""
    given = rules.points
    points = (
        PointsRule(Metric(given.unit), given.per_unit, given.daily_cap, given.active_day_bonus) if given else None
    )
    return Board(slug, name, Metric(rules.metric), frozenset(rules.sport_types), points, rules.threshold)


def to_rules_of(rules: ChallengeRules) -> Challenge:
    """The challenge as the rules need it."""
    return Challenge(**rules.model_dump(include=_RULES))


async def _lock(session: AsyncSession, slug: str, edition: int | None = None) -> ChallengeRow:
    row = require(await queries.lock_challenge(session, slug), "There is no such challenge.")
    if edition not in {None, row.edition}:
        raise Conflict("Somebody else has changed the challenge meanwhile. Please look at it again.")
    return row


def _require_open(row: ChallengeRow) -> None:
    if row.closed_at is not None:
        raise Conflict("The challenge is closed: its results do not change any more.")


async def _require_free(session: AsyncSession, slug: str | None, name: str, but: int | None = None) -> None:
    for row in await list_challenges(session):
        if row.id == but:
            continue
        if row.slug == slug:
            raise Conflict("slug: There is a challenge with this slug already.")
        if fold_name(row.name) == fold_name(name):
            raise Conflict("name: There is a challenge with this name already.")


def _require_distinct(boards: Sequence[Any], slug: str | None = None) -> None:
    """`slug` is that of an edit, which has none itself."""
    slugs = [getattr(board, "slug", slug) for board in boards]
    names = [fold_name(board.name) for board in boards]
    if len(set(slugs)) < len(slugs):
        raise Conflict("slug: There is a board or milestone with this slug already.")
    if len(set(names)) < len(names):
        raise Conflict("name: There is a board or milestone with this name already.")


def _columns(settings: ChallengeSettings) -> dict[str, Any]:
    values = settings.model_dump(include=set(ChallengeSettings.model_fields))
    return values | {"visibility": settings.visibility.value}


def _set_team_rules(board: BoardRow, rules: TeamRules | BoardRow) -> None:
    board.team_mode, board.team_best = str(rules.team_mode), rules.team_best


def _to_json(value: object) -> object:
    return value if isinstance(value, str | int | bool | None) else str(value)


async def _publish(session: AsyncSession, row: ChallengeRow, rules: Challenge, boards: dict[str, Board]) -> None:
    rows = await list_boards(session, row.id)
    await publish_rules(session, row.id, rules, {one.id: boards[one.slug] for one in rows if one.slug in boards})


async def _announce(session: AsyncSession, row: ChallengeRow, now: datetime) -> None:
    """Tell of all boards of a challenge now, as those that are deleted cannot be told of later."""
    boards = await list_boards(session, row.id)
    if boards:
        await emit(
            session,
            StandingsChanged(
                challenge=row.slug,
                boards=tuple(sorted(board.slug for board in boards)),
                revision=await next_revision(session, row.id, now),
                first_day=row.first_day,
                last_day=row.last_day,
            ),
        )
