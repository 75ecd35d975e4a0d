"""The stream that tells open pages that their challenge changed."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from web.challenges.dependencies import ChallengeDep
from web.http.dependencies import VisitorDep
from web.live.pages import LivePagesDep

router = APIRouter()


@router.get("/live/c/{challenge}")
async def changes(
    *,
    request: Request,
    pages: LivePagesDep,
    visitor: VisitorDep,
    challenge: ChallengeDep,
    own: Annotated[str, Query(max_length=1)] = "",
    known: Annotated[str, Query(max_length=64)] = "",
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> Response:
    """An event at each change after the one that the page knows; `own`: also when activities of the visitor come."""
    user_id = visitor.user.id if own and visitor.user else None
    stream = pages.changes.stream(challenge, last_event_id or known, user_id)
    return pages.streams.open(request, visitor, stream)
