"""The state of standings for operators, and computing them anew: on the port that no stranger reaches."""

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.dependencies import FOR_OPERATORS, ContextDep
from leaderboard.versions import queries
from leaderboard.versions.use_cases import begin_rebuild
from shared.contracts.organisers_api import StandingsState
from shared.http.api import Transaction, documented_errors

operator_router = APIRouter(prefix="/standings", dependencies=[FOR_OPERATORS], responses=documented_errors())


@operator_router.get("")
async def get_state(session: Transaction) -> StandingsState:
    """How many boards are shown and how many are being computed, who waits, and what the last check found."""
    return await _to_state(session)


@operator_router.post("/rebuild", status_code=202)
async def rebuild(context: ContextDep, session: Transaction) -> StandingsState:
    """Begin to compute all that is shown once more from the activities; it is shown when it is complete."""
    await begin_rebuild(context.database)
    return await _to_state(session)


async def _to_state(session: AsyncSession) -> StandingsState:
    counts = await queries.count_versions(session)
    return StandingsState(
        live=counts.live,
        building=counts.building,
        retired=counts.retired,
        recalculations=counts.recalculations,
        last_drift=await queries.find_last_drift(session),
    )
