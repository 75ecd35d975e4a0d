"""SQL of the audit log: what organisers changed, and who of them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.dependencies import Actor
from leaderboard.tables import AuditEntryRow

ERASED = "an erased user"


async def add_audit_entry(
    session: AsyncSession, actor: Actor, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> None:
    """Note what an organiser does, in the transaction that does it.

    `action` is a noun and a verb, as "team.renamed"; `subject` is the slug or id of what it was done to. `details`
    are values before and after, never a name of a person.
    """
    session.add(
        AuditEntryRow(
            actor=actor.name, actor_id=actor.user_id, action=action, subject=subject, details=dict(details or {})
        )
    )
    await session.flush()


async def erase_actors(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Forget which of the entries were made by these users."""
    await session.execute(
        text("update audit_log set actor = :erased, actor_id = null where actor_id = any(:ids)"),
        {"erased": ERASED, "ids": list(user_ids)},
    )
    await session.execute(
        text("update audit_log set subject = :erased where subject = any(:ids)"),
        {"erased": ERASED, "ids": [str(user_id) for user_id in user_ids]},
    )
