"""The vault, for operators: never a token in an answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from auth.dependencies import FOR_OPERATORS, ContextDep, at_most
from auth.vault import use_cases
from shared.contracts.auth_api import VaultPage
from shared.http.api import documented_errors

router = APIRouter(
    prefix="/vault",
    tags=["operators"],
    dependencies=[FOR_OPERATORS, at_most(6_000, "vault")],
    responses=documented_errors(),
)

Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("")
async def check(context: ContextDep, after: UUID | None = None, limit: Limit = 200) -> VaultPage:
    """Whether the rows after `after` decrypt, and under which key they are."""
    return await use_cases.check(context, after, limit)


@router.post("/rotate")
async def rotate(context: ContextDep, after: UUID | None = None, limit: Limit = 200) -> VaultPage:
    """Encrypt the rows after `after` under the active key; those that are under it already are left alone."""
    return await use_cases.rotate(context, after, limit)
