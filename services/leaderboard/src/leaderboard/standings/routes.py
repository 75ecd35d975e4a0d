"""The read API of standings."""

from dataclasses import asdict
from datetime import UTC

from fastapi import APIRouter

from leaderboard.challenges.queries import list_boards
from leaderboard.challenges.routes import get_challenge, to_board_info, to_challenge_info
from leaderboard.challenges.rules import Metric
from leaderboard.standings import queries
from leaderboard.standings.rules.ranking import rank
from shared.contracts.leaderboard_api import BoardStandings, StandingEntry
from shared.errors import NotFound
from shared.http.api import Transaction

router = APIRouter()


@router.get("/challenges/{slug}/boards/{board_slug}")
async def board_standings(slug: str, board_slug: str, session: Transaction) -> BoardStandings:
    """A board as it is now. The revision is read first, so that the rows are at least as new as it says."""
    challenge = await get_challenge(session, slug)
    boards = await list_boards(session, challenge.id)
    board = next((one for one in boards if one.slug == board_slug), None)
    if board is None:
        raise NotFound("There is no such board.")
    metric = Metric(board.metric)
    ranked = rank(
        (totals.value(metric), participant.display_name, (participant, totals))
        for participant, totals in await queries.list_standings(session, board.id)
    )
    entries = tuple(
        StandingEntry(
            place=standing.place,
            user_id=participant.user_id,
            display_name=participant.display_name,
            **asdict(totals),
        )
        for standing in ranked
        for participant, totals in [standing.competitor]
    )
    return BoardStandings(
        challenge=to_challenge_info(challenge, boards),
        board=to_board_info(board),
        revision=challenge.revision,
        as_of=challenge.changed_at.astimezone(UTC),
        rows=entries,
    )
