"""What participants choose about themselves and what is known of them; participants as organisers see them."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Row

from leaderboard.dependencies import FOR_WEB, Actor, ContextDep, Scope, require_scope
from leaderboard.downloads import open_pages, stream_json
from leaderboard.participants import queries, use_cases
from leaderboard.participants.queries import Place, Search
from leaderboard.participants.use_cases import set_hidden
from shared.contracts.leaderboard_api import Listing, ParticipantStatus, PrivateActivities
from shared.contracts.organisers_api import ParticipantInfo, ParticipantPage, ParticipantSync
from shared.database.engine import Database
from shared.errors import NotFound, TooManyRequests
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

router = APIRouter(prefix="/participants/{user_id}", dependencies=[FOR_WEB], responses=documented_errors(404))
admin_router = APIRouter(prefix="/admin/participants", responses=documented_errors())

EXPORT_PAGE = 1_000  # activities in memory together


@router.get("")
async def get_status(user_id: UUID, session: Transaction) -> ParticipantStatus:
    """What this participant chose, and how fetching goes for them."""
    row, sync_possible_at = await use_cases.get_status(session, user_id, datetime.now(UTC))
    return ParticipantStatus.model_validate({**row._mapping, "sync_possible_at": sync_possible_at})


@router.put("/private-activities", status_code=204)
async def choose_private(
    user_id: UUID, session: Transaction, choice: Annotated[PrivateActivities, Body(examples=[{"count": True}])]
) -> Response:
    """Let this participant's private activities count, in sums alone, or not any more."""
    await use_cases.choose_private(session, user_id, datetime.now(UTC), count=choice.count)
    return Response(status_code=204)


@router.put("/listing", status_code=204)
async def choose_listed(
    user_id: UUID, session: Transaction, choice: Annotated[Listing, Body(examples=[{"listed": False}])]
) -> Response:
    """Hide this participant from all boards, or show them there again, unless an organiser hides them."""
    await use_cases.choose_listed(session, user_id, listed=choice.listed)
    return Response(status_code=204)


@router.post("/sync", status_code=202)
async def request_sync(user_id: UUID, session: Transaction) -> Response:
    """Have this participant's activities fetched now; at most once in ten minutes."""
    wait = await use_cases.request_sync(session, user_id, datetime.now(UTC))
    if wait:
        minutes = -(-wait // timedelta(minutes=1))
        raise TooManyRequests(
            f"Your activities were asked for a moment ago. Please try again in {minutes} "
            f"{'minute' if minutes == 1 else 'minutes'}."
        )
    return Response(status_code=202)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def export(user_id: UUID, session: Transaction, context: ContextDep) -> StreamingResponse:
    """Everything that leaderboard knows of this participant, as one JSON document."""
    known = await queries.export_participant(session, user_id)
    if known is None:
        raise NotFound("There is no such participant.")
    return StreamingResponse(_export(context.database, user_id, known), media_type="application/json")


async def _export(database: Database, user_id: UUID, known: dict[str, Any]) -> AsyncIterator[str]:
    async def load(last: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
        async with database.transaction() as session:
            return await queries.export_activities(session, user_id, last["strava_id"] if last else 0, EXPORT_PAGE)

    yield _dump(known)[:-1] + ', "activities": '
    async for part in stream_json(await open_pages(load, EXPORT_PAGE), _dump):
        yield part
    yield "}"


def _dump(known: dict[str, Any]) -> str:
    return json.dumps(known, ensure_ascii=False)


@admin_router.get("")
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


@admin_router.get("/{user_id}", responses=documented_errors(404))
async def get_participant(session: Transaction, _actor: PeopleActor, user_id: UUID) -> ParticipantInfo:
    """One participant, and how fetching goes for them."""
    row = await queries.find_participant(session, user_id)
    if row is None:
        raise NotFound("There is no such participant.")
    return _to_info(row)


@admin_router.delete("/{user_id}", status_code=202, response_class=Response, responses=documented_errors(404))
async def remove(session: Transaction, actor: PeopleActor, user_id: UUID) -> Response:
    """Disconnect a participant from Strava and delete everything about them; they may join again."""
    await use_cases.remove(session, actor, user_id, datetime.now(UTC))
    return Response(status_code=202)


@admin_router.post("/{user_id}/hide", responses=documented_errors(404))
async def hide(session: Transaction, actor: PeopleActor, user_id: UUID) -> ParticipantInfo:
    """Take a participant off all boards; what they do is recorded on."""
    return _to_info(await set_hidden(session, actor, user_id, hidden=True))


@admin_router.post("/{user_id}/show", responses=documented_errors(404))
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
