"""What participants choose about themselves, and everything that is known of them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from leaderboard.dependencies import FOR_WEB, ContextDep
from leaderboard.participants import queries, use_cases
from shared.database.engine import Database
from shared.errors import NotFound, TooManyRequests
from shared.http.api import Transaction, documented_errors

router = APIRouter(prefix="/participants/{user_id}", dependencies=[FOR_WEB], responses=documented_errors(404))

EXPORT_PAGE = 1_000  # activities in memory together


class PrivateActivities(BaseModel):
    """Whether activities that only the participant sees on Strava are fetched and count."""

    count: bool


@router.put("/private-activities", status_code=204)
async def choose_private(
    user_id: UUID, session: Transaction, choice: Annotated[PrivateActivities, Body(examples=[{"count": True}])]
) -> Response:
    """Let this participant's private activities count, in sums alone, or not any more."""
    await use_cases.choose_private(session, user_id, datetime.now(UTC), count=choice.count)
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
    yield json.dumps(known, ensure_ascii=False)[:-1] + ', "activities": ['
    after, separator = 0, ""
    while True:
        async with database.transaction() as session:
            page = await queries.export_activities(session, user_id, after, EXPORT_PAGE)
        for activity in page:
            yield separator + json.dumps(activity, ensure_ascii=False)
            separator = ", "
        if len(page) < EXPORT_PAGE:
            break
        after = page[-1]["strava_id"]
    yield "]}"
