"""SQL of the budget: one row for each window, and what Strava says about the application."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sync.budget.rules import LENGTHS, Budget, Window, WindowName, new_budget
from sync.tables import BudgetRow, StravaApplicationRow

_FIGURES = ("starts_at", "overall_limit", "overall_used", "read_limit", "read_used")
_STATEMENT = """select b.*, a.inactive_since, a.probe_at
    from budget as b join strava_application as a on a.id = 1 order by b.name"""
_select = text(_STATEMENT)
# In the order of the names, so that two callers wait for each other and never both.
_select_for_update = text(f"{_STATEMENT} for update of b")
_save = text(
    """update budget as b set starts_at = n.starts_at, overall_limit = n.overall_limit,
           overall_used = n.overall_used, read_limit = n.read_limit, read_used = n.read_used
       from (values
           ('quarter', cast(:quarter_starts_at as timestamptz), cast(:quarter_overall_limit as integer),
            cast(:quarter_overall_used as integer), cast(:quarter_read_limit as integer),
            cast(:quarter_read_used as integer)),
           ('day', cast(:day_starts_at as timestamptz), cast(:day_overall_limit as integer),
            cast(:day_overall_used as integer), cast(:day_read_limit as integer),
            cast(:day_read_used as integer))
       ) as n (name, starts_at, overall_limit, overall_used, read_limit, read_used)
       where b.name = n.name"""
)


async def lock_budget(session: AsyncSession, now: datetime) -> Budget:
    """The budget as it was last saved; nobody else takes a call from it until the transaction ends."""
    return await _find(session, for_update=True) or await _create(session, now)


async def get_budget(session: AsyncSession, now: datetime) -> Budget:
    """The budget as it was last saved."""
    return await _find(session, for_update=False) or new_budget(now)


async def _find(session: AsyncSession, *, for_update: bool) -> Budget | None:
    rows = (await session.execute(_select_for_update if for_update else _select)).all()
    by_name = {row.name: row for row in rows}
    if by_name.keys() != LENGTHS.keys():
        return None
    windows = {name: Window(*(getattr(row, figure) for figure in _FIGURES)) for name, row in by_name.items()}
    return Budget(windows["quarter"], windows["day"], rows[0].inactive_since, rows[0].probe_at)


async def ensure_application(session: AsyncSession) -> None:
    """Create the row about our application, unless it is there."""
    await session.execute(insert(StravaApplicationRow).values(id=1).on_conflict_do_nothing())


async def _create(session: AsyncSession, now: datetime) -> Budget:
    fresh = new_budget(now)
    rows = [{"name": name, **_columns(window)} for name, window in _windows(fresh).items()]
    await ensure_application(session)
    await session.execute(insert(BudgetRow).values(rows).on_conflict_do_nothing())
    return await _find(session, for_update=True) or fresh


async def save_budget(session: AsyncSession, before: Budget, after: Budget) -> None:
    """Save what changed."""
    if replace(after, inactive_since=None, probe_at=None) != replace(before, inactive_since=None, probe_at=None):
        parameters = {
            f"{name}_{column}": value
            for name, window in _windows(after).items()
            for column, value in _columns(window).items()
        }
        await session.execute(_save, parameters)
    if (after.inactive_since, after.probe_at) != (before.inactive_since, before.probe_at):
        await session.execute(
            update(StravaApplicationRow).values(inactive_since=after.inactive_since, probe_at=after.probe_at)
        )


async def mark_refused(session: AsyncSession, now: datetime) -> None:
    """Store when Strava refused a call that the budget allowed."""
    await session.execute(update(StravaApplicationRow).values(refused_at=now))


async def find_refused_at(session: AsyncSession) -> datetime | None:
    """When that was last."""
    return await session.scalar(select(StravaApplicationRow.refused_at))


def _windows(budget: Budget) -> dict[WindowName, Window]:
    return {"quarter": budget.quarter, "day": budget.day}


def _columns(window: Window) -> dict[str, Any]:
    return {name: getattr(window, name) for name in _FIGURES}
