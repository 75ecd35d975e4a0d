"""Participants, for organisers."""

from datetime import UTC
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row

from leaderboard.dependencies import Actor, Scope, require_scope
from leaderboard.participants import queries
from leaderboard.participants.queries import Place, Search
from leaderboard.participants.use_cases import set_hidden
from shared.contracts.organisers_api import ParticipantInfo, ParticipantPage, ParticipantSync
from shared.http.api import Transaction, documented_errors

MAX_PAGE = 500
MAX_SEARCH = 50
MAX_PLACE = 37 + 3 * 80  # an id and a name, which case-folding makes longer
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

PeopleActor = Annotated[Actor, Depends(require_scope(Scope.PEOPLE))]
After = Annotated[
    str | None,
    Query(max_length=MAX_PLACE, pattern=rf"^{_UUID}\.", description="`next_after` of the page before."),
]

router = APIRouter(prefix="/admin/participants", responses=documented_errors())


@router.get("")
async def list_participants(
    session: Transaction,
    _actor: PeopleActor,
    search: Annotated[str, Query(max_length=MAX_SEARCH)] = "",
    status: Literal["ok", "failing", "needs_reconnection", "hidden"] | None = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> ParticipantPage:
    """Participants by name, and how fetching goes for them; `search` is a part of the name."""
    wanted = Search(search.strip().casefold(), status)
    rows = await queries.list_participants(session, wanted, _parse_place(after), limit)
    return ParticipantPage(
        participants=tuple(map(_to_info, rows)),
        next_after=f"{rows[-1].user_id}.{rows[-1].sort_name}" if len(rows) == limit else None,
    )


def _parse_place(after: str | None) -> Place | None:
    if after is None:
        return None
    user_id, _, sort_name = after.partition(".")
    return Place(sort_name, UUID(user_id))


@router.post("/{user_id}/hide", responses=documented_errors(404))
async def hide(session: Transaction, actor: PeopleActor, user_id: UUID) -> ParticipantInfo:
    """Take a participant off all boards; what they do is recorded on."""
    return _to_info(await set_hidden(session, actor, user_id, hidden=True))


@router.post("/{user_id}/show", responses=documented_errors(404))
async def show(session: Transaction, actor: PeopleActor, user_id: UUID) -> ParticipantInfo:
    """Put a participant who was hidden on the boards again, unless they hide themselves."""
    return _to_info(await set_hidden(session, actor, user_id, hidden=False))


def _to_info(row: Row[Any]) -> ParticipantInfo:
    fields = dict(row._mapping)
    return ParticipantInfo.model_validate(
        {
            **fields,
            "joined_at": row.joined_at.astimezone(UTC),
            "sync": ParticipantSync.model_validate({**fields, "status": row.sync_status}),
        }
    )
