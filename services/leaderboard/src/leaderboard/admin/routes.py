"""The admin API of challenges and boards."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Response

from leaderboard.admin import queries, use_cases
from leaderboard.admin.rules import FinalStanding, compute_digest
from leaderboard.admin.use_cases import require
from leaderboard.challenges.queries import find_challenge, find_retention, list_boards, list_challenges
from leaderboard.challenges.routes import get_challenge
from leaderboard.challenges.rules import RETENTION_DAYS
from leaderboard.dependencies import Actor, Scope, ViewerDep, require_scope
from leaderboard.standings.board_queries import WholeBoard, list_page
from leaderboard.standings.routes import to_entry
from leaderboard.tables import BoardRow, BoardVersionRow, ChallengeRow
from leaderboard.versions.queries import is_complete
from shared.contracts.leaderboard_admin_api import (
    BegunPreview,
    BoardDefinition,
    BoardEdit,
    BoardRules,
    BoardState,
    ChallengeEdit,
    ChallengeRules,
    ChallengeState,
    CloneRequest,
    FinalEntry,
    FinalResults,
    NewChallenge,
    PointsDefinition,
    Preview,
    PreviewRequest,
    RetentionState,
    Visibility,
)
from shared.contracts.leaderboard_api import BoardMetric
from shared.contracts.teams_api import MAX_ROW_ID, TeamMode
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

PREVIEW_ROWS = 100

_NEW_RULES = {"metric": "distance", "sport_types": ["Run", "TrailRun"]}
_RULES = {"first_day": "2026-05-01", "last_day": "2026-05-31", "counts_trainer": False}
_BOARD = {"slug": "running", "name": "Running", **_NEW_RULES}
_SETTINGS = {**_RULES, "name": "May", "time_zone": "Europe/Warsaw", "visibility": "public"}
_POINTS = {
    "metric": "points",
    "sport_types": ["Run", "Ride"],
    "points": {
        "unit": "distance",
        "per_unit": {"Run": "3", "Ride": "1"},
        "daily_cap": "60",
        "active_day_bonus": "5",
    },
}

Reader = Depends(require_scope(Scope.READ))
Editor = Annotated[Actor, Depends(require_scope(Scope.CHALLENGES))]

router = APIRouter(responses=documented_errors(404, 409))


@router.get("/admin/challenges", dependencies=[Reader])
async def list_all(session: Transaction) -> tuple[ChallengeState, ...]:
    """All challenges with their boards and milestones."""
    return await _to_states(session, await list_challenges(session))


@router.post("/admin/challenges", status_code=201)
async def create(
    session: Transaction,
    actor: Editor,
    new: Annotated[NewChallenge, Body(examples=[{**_SETTINGS, "slug": "may", "boards": [_BOARD]}])],
) -> ChallengeState:
    """Create a challenge with its boards and milestones; hidden unless another visibility is given."""
    row = await use_cases.create_challenge(session, actor, new)
    return (await _to_states(session, [row]))[0]


@router.get("/admin/challenges/{slug}", dependencies=[Reader])
async def get(slug: str, session: Transaction) -> ChallengeState:
    """One challenge."""
    return await _get_state(session, slug)


@router.put("/admin/challenges/{slug}")
async def edit(
    slug: str,
    session: Transaction,
    actor: Editor,
    wanted: Annotated[ChallengeEdit, Body(examples=[{**_SETTINGS, "edition": 0}])],
) -> ChallengeState:
    """Change a challenge. Other days and rules are shown, all at once, as soon as they are computed."""
    await use_cases.edit_challenge(session, actor, slug, wanted, datetime.now(UTC))
    return await _get_state(session, slug)


@router.delete("/admin/challenges/{slug}", status_code=204)
async def delete(slug: str, session: Transaction, actor: Editor) -> Response:
    """Delete a challenge with its boards, milestones and standings, but not the activities."""
    await use_cases.delete_challenge(session, actor, slug, datetime.now(UTC))
    return Response(status_code=204)


@router.post("/admin/challenges/{slug}/clone", status_code=201)
async def clone(
    slug: str,
    session: Transaction,
    actor: Editor,
    wanted: Annotated[
        CloneRequest,
        Body(examples=[{"slug": "june", "name": "June", "first_day": "2026-06-01", "last_day": "2026-06-30"}]),
    ],
) -> ChallengeState:
    """Create a hidden challenge of other days with the same boards and rules."""
    row = await use_cases.clone_challenge(session, actor, slug, wanted)
    return (await _to_states(session, [row]))[0]


@router.post("/admin/challenges/{slug}/close")
async def close(slug: str, session: Transaction, actor: Editor) -> FinalResults:
    """Freeze the results of a challenge that is over, with a digest that proves that they were not changed."""
    await use_cases.close_challenge(session, actor, slug, datetime.now(UTC))
    session.expire_all()
    return await _to_results(session, require(await find_challenge(session, slug), "There is no such challenge."))


@router.get("/challenges/{slug}/results")
async def results(slug: str, session: Transaction, viewer: ViewerDep) -> FinalResults:
    """The frozen results of a closed challenge."""
    row = await get_challenge(session, slug, viewer)
    if row.closed_at is None:
        raise NotFound("The challenge is not closed yet.")
    return await _to_results(session, row)


@router.post("/admin/challenges/{slug}/boards", status_code=201)
async def add_board(
    slug: str,
    session: Transaction,
    actor: Editor,
    new: Annotated[
        BoardDefinition,
        Body(
            examples=[
                _BOARD,
                {"slug": "points", "name": "Points", **_POINTS},
                {**_BOARD, "slug": "marathon", "name": "Marathon", "threshold": "42195"},
            ]
        ),
    ],
) -> ChallengeState:
    """Add a board; with a threshold it is a milestone. It is shown as soon as it is computed."""
    await use_cases.add_board(session, actor, slug, new)
    return await _get_state(session, slug)


@router.put("/admin/challenges/{slug}/boards/{board_slug}")
async def edit_board(
    slug: str,
    board_slug: str,
    session: Transaction,
    actor: Editor,
    wanted: Annotated[BoardEdit, Body(examples=[{"name": "Points", "edition": 1, **_POINTS}])],
) -> ChallengeState:
    """Change a board or milestone. By other rules it is shown as soon as it is computed, until then by the former."""
    await use_cases.edit_board(session, actor, slug, board_slug, wanted)
    return await _get_state(session, slug)


@router.delete("/admin/challenges/{slug}/boards/{board_slug}", status_code=204)
async def delete_board(slug: str, board_slug: str, session: Transaction, actor: Editor) -> Response:
    """Delete a board or milestone with its standings."""
    await use_cases.delete_board(session, actor, slug, board_slug, datetime.now(UTC))
    return Response(status_code=204)


@router.put("/admin/challenges/{slug}/boards/{board_slug}/preview", status_code=202, response_class=Response)
async def begin_preview(
    slug: str,
    board_slug: str,
    session: Transaction,
    actor: Editor,
    wanted: Annotated[PreviewRequest, Body(examples=[_POINTS, {**_POINTS, "challenge": _RULES}])],
) -> Response:
    """Begin to compute what a board would be by other rules, without showing it; it replaces an earlier preview."""
    await use_cases.begin_preview(session, actor, slug, board_slug, wanted)
    return Response(status_code=202)


@router.get("/admin/challenges/{slug}/boards/{board_slug}/preview", dependencies=[Reader])
async def get_preview(slug: str, board_slug: str, session: Transaction) -> Preview:
    """The first hundred places by the rules of the preview, once it is computed."""
    row = require(await find_challenge(session, slug), "There is no such challenge.")
    board = await use_cases.find_board(session, row, board_slug)
    return await _to_preview(
        session, require(await queries.find_preview(session, board.id), "There is no preview of this board.")
    )


@router.post("/admin/challenges/{slug}/previews", status_code=202)
async def begin_new_preview(
    slug: str,
    session: Transaction,
    actor: Editor,
    wanted: Annotated[
        PreviewRequest,
        Body(examples=[_NEW_RULES, {**_NEW_RULES, "threshold": "42195"}, {**_POINTS, "challenge": _RULES}]),
    ],
) -> BegunPreview:
    """Begin to compute what a board or milestone that does not exist would be, without adding it.

    The same rules give the same preview. The latest five of a challenge are kept, for a day at most; one by whose
    rules a board is added then becomes that board.
    """
    return BegunPreview(id=await use_cases.begin_new_preview(session, actor, slug, wanted))


@router.get("/admin/challenges/{slug}/previews/{preview_id}", dependencies=[Reader])
async def get_new_preview(
    slug: str, preview_id: Annotated[int, Path(ge=1, le=MAX_ROW_ID)], session: Transaction
) -> Preview:
    """The first hundred places by the rules of such a preview, once it is computed."""
    row = require(await find_challenge(session, slug), "There is no such challenge.")
    version = await queries.find_new_preview(session, row.id, preview_id)
    return await _to_preview(session, require(version, "There is no such preview."))


async def _to_preview(session: Transaction, version: BoardVersionRow) -> Preview:
    if not await is_complete(session, version):
        return Preview(is_built=False, rows=())
    window = await list_page(session, WholeBoard(version.id, datetime.now(UTC).date()), PREVIEW_ROWS, 0)
    return Preview(is_built=True, rows=tuple(map(to_entry, window.rows)))


@router.get("/admin/retention", dependencies=[Reader])
async def retention(session: Transaction) -> RetentionState:
    """From when on activities are kept, and from which day on those of each challenge will not be."""
    return RetentionState(
        kept_from=await find_retention(session),
        challenges={row.slug: _day_after(row.last_day, RETENTION_DAYS + 1) for row in await list_challenges(session)},
    )


def _day_after(day: date, days: int) -> date:
    return day + timedelta(days=days) if (date.max - day).days > days else date.max


async def _get_state(session: Transaction, slug: str) -> ChallengeState:
    row = require(await find_challenge(session, slug), "There is no such challenge.")
    return (await _to_states(session, [row]))[0]


async def _to_states(session: Transaction, rows: Sequence[ChallengeRow]) -> tuple[ChallengeState, ...]:
    boards: dict[int, list[BoardRow]] = defaultdict(list)
    for board in await list_boards(session, *(row.id for row in rows)):
        boards[board.challenge_id].append(board)
    versions: dict[int | None, list[BoardVersionRow]] = defaultdict(list)
    for version in await queries.list_versions(session, [board.id for own in boards.values() for board in own]):
        versions[version.board_id].append(version)
    return tuple(
        ChallengeState(
            slug=row.slug,
            name=row.name,
            first_day=row.first_day,
            last_day=row.last_day,
            counts_manual=row.counts_manual,
            counts_trainer=row.counts_trainer,
            counts_commute=row.counts_commute,
            time_zone=row.time_zone,
            visibility=Visibility(row.visibility),
            announcement=row.announcement,
            team_size=row.team_size,
            edition=row.edition,
            closed_at=row.closed_at,
            digest=row.digest,
            boards=tuple(_to_board_state(board, versions[board.id]) for board in boards[row.id]),
            next_rules=_to_next_rules([one for board in boards[row.id] for one in versions[board.id]]),
        )
        for row in rows
    )


def _to_next_rules(versions: Sequence[BoardVersionRow]) -> ChallengeRules | None:
    building = [version for version in versions if version.state != "live"]
    if not building:
        return None
    newest = max(building, key=lambda version: version.id)
    return ChallengeRules.model_validate({name: getattr(newest, name) for name in ChallengeRules.model_fields})


def _to_board_state(board: BoardRow, versions: Sequence[BoardVersionRow]) -> BoardState:
    live = next((version for version in versions if version.state == "live"), None)
    shown = live or (versions[0] if versions else None)
    building = [version for version in versions if version.state != "live"]
    return BoardState(
        slug=board.slug,
        name=board.name,
        position=board.position,
        metric=BoardMetric(live.metric) if live else None,
        sport_types=tuple(shown.sport_types) if shown else (),
        points=PointsDefinition.model_validate(shown.points) if shown and shown.points else None,
        threshold=float(shown.threshold) if shown and shown.threshold is not None else None,
        team_mode=TeamMode(board.team_mode),
        team_best=board.team_best,
        is_building=bool(building),
        next_rules=_to_rules(building[-1]) if building else None,
    )


def _to_rules(version: BoardVersionRow) -> BoardRules:
    return BoardRules.model_validate({name: getattr(version, name) for name in BoardRules.model_fields})


async def _to_results(session: Transaction, row: ChallengeRow) -> FinalResults:
    found = await queries.list_final_standings(session, row.id)
    standings = [
        FinalStanding(**{name: getattr(one, name) for name in FinalStanding.__dataclass_fields__}) for one in found
    ]
    assert row.closed_at is not None
    assert row.digest is not None
    return FinalResults(
        challenge=row.slug,
        closed_at=row.closed_at.astimezone(UTC),
        digest=row.digest,
        is_unchanged=compute_digest(row.slug, standings) == row.digest,
        rows=tuple(
            FinalEntry(**asdict(standing), display_name=one.display_name)
            for standing, one in zip(standings, found, strict=True)
        ),
    )
