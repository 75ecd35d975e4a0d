"""Sessions, for operators: on the port that no stranger reaches."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from shared.contracts.web_api import RevokedSessions, Session, SessionList
from shared.errors import NotFound
from shared.http.api import Transaction, require_api_key
from web.http import queries

ID_BYTES = 8  # of the hash; enough to tell the sessions of one site apart

SessionId = Annotated[str, Path(pattern=f"^[0-9a-f]{{{2 * ID_BYTES}}}$")]

router = APIRouter(
    prefix="/sessions", dependencies=[Depends(require_api_key(lambda request: str(request.app.state.operator_key)))]
)


@router.get("")
async def list_sessions(session: Transaction, user_id: UUID) -> SessionList:
    """The sessions of one user, the latest first."""
    rows = await queries.list_sessions(session, user_id)
    return SessionList(
        sessions=tuple(
            Session(
                id=row.id_hash[:ID_BYTES].hex(),
                user_id=row.user_id,
                created_at=row.created_at,
                last_seen_at=row.last_seen_at,
            )
            for row in rows
        )
    )


@router.delete("/{session_id}")
async def revoke_session(session: Transaction, session_id: SessionId) -> RevokedSessions:
    """Sign one browser out."""
    revoked = await queries.delete_session_named(session, bytes.fromhex(session_id))
    if not revoked:
        raise NotFound("There is no such session.")
    return RevokedSessions(revoked=revoked)


@router.delete("")
async def revoke_sessions(session: Transaction, user_id: UUID) -> RevokedSessions:
    """Sign a user out everywhere."""
    return RevokedSessions(revoked=await queries.delete_sessions_of(session, user_id))
