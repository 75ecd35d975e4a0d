"""Taking calls from the budget, and learning from their answers. Each is one short transaction."""

from datetime import datetime

import structlog

from shared.database.engine import Database
from shared.errors import AppError
from sync import metrics
from sync.budget import queries, rules
from sync.budget.rules import Figures, Permit, Wait, WaitReason

log = structlog.stdlib.get_logger(__name__)


class OutOfCalls(AppError):
    """No call to Strava can be made before `until`: they are spent, or kept for what is more urgent."""

    status = 429
    code = "out_of_calls"

    def __init__(self, until: datetime, reason: WaitReason) -> None:
        super().__init__()
        self.until = until
        self.reason = reason


async def take_permit(database: Database, reserve: float, now: datetime) -> Permit:
    """A permit for one call by who leaves a share `reserve` of each window to others. Raises OutOfCalls."""
    async with database.transaction() as session:
        before = await queries.lock_budget(session, now)
        decision = rules.spend(before, reserve, now)
        if isinstance(decision, Wait):
            raise OutOfCalls(decision.until, decision.reason)
        await queries.save_budget(session, before, decision.budget)
    return decision


async def record_answer(database: Database, permit: Permit, figures: tuple[Figures, Figures], now: datetime) -> None:
    """Strava answered a call: what its headers say corrects the budget, which mostly is as they say."""
    if not rules.has_news(permit, *figures):
        return
    async with database.transaction() as session:
        before = await queries.lock_budget(session, now)
        after = rules.mark_active(rules.correct(before, permit, *figures))
        await queries.save_budget(session, before, after)
    if before.inactive_since is not None:
        log.info("strava says that the application is active again")


async def record_refusal(
    database: Database, permit: Permit, figures: tuple[Figures, Figures], now: datetime
) -> OutOfCalls:
    """Strava refused a call with 429, which the budget should have foreseen; returns until when nothing is sent."""
    metrics.UNFORESEEN_REFUSALS.inc()
    async with database.transaction() as session:
        before = await queries.lock_budget(session, now)
        after = rules.mark_spent(rules.correct(before, permit, *figures), permit)
        await queries.save_budget(session, before, after)
        await queries.mark_refused(session, now)
    decision = rules.spend(after, 0.0, now)
    until = decision.until if isinstance(decision, Wait) else now
    reason: WaitReason = decision.reason if isinstance(decision, Wait) else "quarter"
    log.warning("strava refused a call that the budget allowed", until=until.isoformat(), window=reason)
    return OutOfCalls(until, reason)


async def record_inactive(
    database: Database, permit: Permit, figures: tuple[Figures, Figures], now: datetime
) -> OutOfCalls:
    """Strava says that the application is inactive: everything pauses; returns until when."""
    async with database.transaction() as session:
        before = await queries.lock_budget(session, now)
        after = rules.mark_inactive(rules.correct(before, permit, *figures), now)
        await queries.save_budget(session, before, after)
    log.error(
        "strava says that the application is inactive, and nothing is fetched",
        remedy="the application's owner needs a Strava subscription; see https://www.strava.com/settings/api",
    )
    return OutOfCalls(after.probe_at or now, "inactive")
