"""The read API: challenges and board snapshots."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard import domain, queries
from leaderboard.domain import Metric
from leaderboard.tables import BoardRow, ChallengeRow
from shared.contracts.leaderboard_api import BoardInfo, BoardMetric, BoardStandings, ChallengeInfo, StandingEntry
from shared.errors import NotFound
from shared.http.api import Transaction

router = APIRouter()


@router.get("/challenges/current")
async def current_challenge(session: Transaction) -> ChallengeInfo:
    """The challenge to show on the home page."""
    challenge = await queries.current_challenge(session, datetime.now(UTC))
    if challenge is None:
        raise NotFound("There is no challenge yet.")
    return _info(challenge, await queries.list_boards(session, challenge.id))


@router.get("/challenges/{slug}")
async def challenge(slug: str, session: Transaction) -> ChallengeInfo:
    """A challenge with its boards."""
    found = await _challenge(session, slug)
    return _info(found, await queries.list_boards(session, found.id))


@router.get("/challenges/{slug}/boards/{board_slug}")
async def board(slug: str, board_slug: str, session: Transaction) -> BoardStandings:
    """A board as it is now. The revision is read first, so that the rows are at least as new as it says."""
    found = await _challenge(session, slug)
    boards = await queries.list_boards(session, found.id)
    chosen = next((one for one in boards if one.slug == board_slug), None)
    if chosen is None:
        raise NotFound("There is no such board.")
    revision, as_of = found.revision, found.changed_at.astimezone(UTC)
    metric = Metric(chosen.metric)
    standings = domain.rank(
        (totals.value(metric), participant.display_name, (participant, totals))
        for participant, totals in await queries.list_standings(session, chosen.id)
    )
    rows = tuple(
        StandingEntry(
            place=standing.place,
            user_id=participant.user_id,
            display_name=participant.display_name,
            distance_m=float(totals.distance_m),
            moving_time_s=totals.moving_time_s,
            elev_gain_m=float(totals.elev_gain_m),
            activities=totals.activities,
        )
        for standing in standings
        for participant, totals in [standing.competitor]
    )
    return BoardStandings(
        challenge=_info(found, boards), board=_board_info(chosen), revision=revision, as_of=as_of, rows=rows
    )


async def _challenge(session: AsyncSession, slug: str) -> ChallengeRow:
    found = await queries.find_challenge(session, slug)
    if found is None:
        raise NotFound("There is no such challenge.")
    return found


def _info(challenge: ChallengeRow, boards: Sequence[BoardRow]) -> ChallengeInfo:
    return ChallengeInfo(
        slug=challenge.slug,
        name=challenge.name,
        first_day=challenge.first_day,
        last_day=challenge.last_day,
        time_zone=challenge.time_zone,
        visibility=challenge.visibility,
        boards=tuple(_board_info(board) for board in boards),
    )


def _board_info(board: BoardRow) -> BoardInfo:
    return BoardInfo(slug=board.slug, name=board.name, metric=BoardMetric(board.metric))
