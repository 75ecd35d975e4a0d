"""The read API of standings."""

from dataclasses import asdict
from datetime import UTC

from fastapi import APIRouter

from leaderboard.challenges.queries import list_live_versions
from leaderboard.challenges.routes import get_challenge, to_board_info, to_challenge_info
from leaderboard.dependencies import ViewerDep
from leaderboard.standings import queries
from leaderboard.standings.rules.ranking import rank
from shared.contracts.leaderboard_api import BoardStandings, StandingEntry
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

router = APIRouter(responses=documented_errors(404))


@router.get("/challenges/{slug}/boards/{board_slug}")
async def board_standings(slug: str, board_slug: str, session: Transaction, viewer: ViewerDep) -> BoardStandings:
    """A board as it is now. The revision is read first, so that the rows are at least as new as it says."""
    challenge = await get_challenge(session, slug, viewer)
    versions = await list_live_versions(session, challenge.id)
    version = next((one for one in versions if one.board.slug == board_slug), None)
    if version is None:
        raise NotFound("There is no such board.")
    ranked = rank(
        (totals.value(version.board.metric), participant.display_name, (participant, totals))
        for participant, totals in await queries.list_standings(session, version.id)
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
        challenge=to_challenge_info(challenge, versions),
        board=to_board_info(version),
        revision=challenge.revision,
        as_of=challenge.changed_at.astimezone(UTC),
        rows=entries,
    )
