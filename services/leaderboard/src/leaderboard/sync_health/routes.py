"""How fetching goes, for organisers, and having it done now."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from leaderboard.dependencies import Actor, ContextDep, Scope, require_scope
from leaderboard.sync_health import queries
from leaderboard.sync_health.use_cases import request_sync
from shared.contracts.organisers_api import RequestedSync, SyncFailure, SyncFailures, WantedSync
from shared.contracts.sync_api import SyncStatus
from shared.errors import Unavailable
from shared.http.api import Transaction, documented_errors

FAILURES = 20

MAY_READ = Depends(require_scope(Scope.READ))
SyncActor = Annotated[Actor, Depends(require_scope(Scope.SYNC))]

router = APIRouter(prefix="/admin", responses=documented_errors())


@router.post("/sync", status_code=202, responses=documented_errors(404, 409))
async def sync_now(session: Transaction, actor: SyncActor, wanted: WantedSync) -> RequestedSync:
    """Have a participant's activities fetched as soon as there are calls for it, or everybody's every 10 minutes."""
    now = datetime.now(UTC)
    await request_sync(session, actor, wanted.user_id, now)
    return RequestedSync(user_id=wanted.user_id, requested_at=now)


@router.get("/sync-errors", dependencies=[MAY_READ])
async def list_failures(session: Transaction) -> SyncFailures:
    """The last failure of each of the 20 users with the latest ones, as codes."""
    rows = await queries.list_failures(session, FAILURES)
    return SyncFailures(failures=tuple(SyncFailure.model_validate(dict(row._mapping)) for row in rows))


@router.get("/sync-budget", dependencies=[MAY_READ])
async def get_budget(context: ContextDep) -> SyncStatus:
    """The calls that Strava allows, and what waits for them, as sync says it at this moment."""
    if context.sync is None:
        raise Unavailable("How fetching goes cannot be asked here: SYNC_STATUS_URL is not set for leaderboard.")
    return await context.sync.get_status()
