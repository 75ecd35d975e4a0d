"""API keys: for organisers, and for operators, who make the first one on the port that no stranger reaches."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.api_keys import queries
from leaderboard.api_keys.use_cases import create_key, revoke_key
from leaderboard.dependencies import FOR_OPERATORS, Actor, Scope, require_scope
from leaderboard.tables import ApiKeyRow
from shared.contracts.organisers_api import ApiKeyInfo, ApiKeyList, CreatedApiKey, NewApiKey
from shared.http.api import Transaction, documented_errors

MAX_ID = 2**63 - 1
OPERATOR = Actor("operator")

KeysActor = Annotated[Actor, Depends(require_scope(Scope.KEYS))]
KeyId = Annotated[int, Path(ge=1, le=MAX_ID)]

router = APIRouter(prefix="/admin/api-keys", responses=documented_errors())
operator_router = APIRouter(prefix="/api-keys", dependencies=[FOR_OPERATORS], responses=documented_errors())


@router.post("", status_code=201, responses=documented_errors(409))
async def create(session: Transaction, response: Response, actor: KeysActor, wanted: NewApiKey) -> CreatedApiKey:
    """Make an API key. The answer has its text, which is not stored and never shown again."""
    return await _create(session, response, actor, wanted)


@router.get("")
async def list_keys(session: Transaction, _actor: KeysActor) -> ApiKeyList:
    """All API keys, the latest first."""
    return await _list(session)


@router.delete("/{key_id}", responses=documented_errors(404))
async def revoke(session: Transaction, actor: KeysActor, key_id: KeyId) -> ApiKeyInfo:
    """Make an API key invalid, from the next request on."""
    return _to_info(await revoke_key(session, actor, key_id, datetime.now(UTC)))


@operator_router.post("", status_code=201, responses=documented_errors(409))
async def create_as_operator(session: Transaction, response: Response, wanted: NewApiKey) -> CreatedApiKey:
    """Make an API key, such as the first one."""
    return await _create(session, response, OPERATOR, wanted)


@operator_router.get("")
async def list_as_operator(session: Transaction) -> ApiKeyList:
    """All API keys, the latest first."""
    return await _list(session)


@operator_router.delete("/{key_id}", responses=documented_errors(404))
async def revoke_as_operator(session: Transaction, key_id: KeyId) -> ApiKeyInfo:
    """Make an API key invalid, from the next request on."""
    return _to_info(await revoke_key(session, OPERATOR, key_id, datetime.now(UTC)))


async def _create(session: AsyncSession, response: Response, actor: Actor, wanted: NewApiKey) -> CreatedApiKey:
    row, key = await create_key(session, actor, wanted.name, wanted.scopes, datetime.now(UTC))
    response.headers["Cache-Control"] = "no-store"
    return CreatedApiKey(info=_to_info(row), key=key)


async def _list(session: AsyncSession) -> ApiKeyList:
    return ApiKeyList(keys=tuple(map(_to_info, await queries.list_keys(session))))


def _to_info(row: ApiKeyRow) -> ApiKeyInfo:
    return ApiKeyInfo(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
