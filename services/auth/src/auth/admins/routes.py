"""Admins, for operators."""

from typing import Annotated

from fastapi import APIRouter, Path

from auth.admins import use_cases
from auth.dependencies import FOR_OPERATORS, ContextDep, at_most
from shared.contracts.auth_api import Admin, AdminList
from shared.http.api import documented_errors

router = APIRouter(
    prefix="/admins",
    tags=["operators"],
    dependencies=[FOR_OPERATORS, at_most(600, "admins")],
    responses=documented_errors(),
)

AthleteId = Annotated[int, Path(gt=0, lt=2**63)]


@router.get("")
async def list_admins(context: ContextDep) -> AdminList:
    """All admins, whether they have joined or not."""
    return AdminList(admins=tuple(await use_cases.list_admins(context)))


@router.put("/{athlete_id}")
async def add_admin(context: ContextDep, athlete_id: AthleteId) -> Admin:
    """Make an athlete an admin, now or as soon as they join."""
    return await use_cases.add_admin(context, athlete_id)


@router.delete("/{athlete_id}", status_code=204, responses=documented_errors(404, 409))
async def remove_admin(context: ContextDep, athlete_id: AthleteId) -> None:
    """Make an athlete an admin no more."""
    await use_cases.remove_admin(context, athlete_id)
