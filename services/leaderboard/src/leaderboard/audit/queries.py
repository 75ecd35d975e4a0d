"""SQL of the audit log: what organisers changed, and who of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.dependencies import Actor
from leaderboard.tables import AuditEntryRow

ERASED = "an erased user"


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted: of one action, or about one subject, or all."""

    action: str | None = None
    subject: str | None = None


async def add_audit_entry(
    session: AsyncSession, actor: Actor, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> None:
    """Note what an organiser does, in the transaction that does it.

    `action` is a noun and a verb, as "team.renamed"; `subject` is the slug or id of what it was done to. `details`
    are values before and after, never a name of a person; an entry with their `user_id` is emptied when that user is
    erased.
    """
    session.add(
        AuditEntryRow(
            actor=actor.name, actor_id=actor.user_id, action=action, subject=subject, details=dict(details or {})
        )
    )
    await session.flush()


async def list_entries(
    session: AsyncSession, wanted: Filter, before_id: int | None, limit: int
) -> Sequence[AuditEntryRow]:
    """At most so many entries, the latest first, of those before that one."""
    entries = select(AuditEntryRow).order_by(AuditEntryRow.id.desc()).limit(limit)
    if wanted.action is not None:
        entries = entries.where(AuditEntryRow.action == wanted.action)
    if wanted.subject is not None:
        entries = entries.where(AuditEntryRow.subject == wanted.subject)
    if before_id is not None:
        entries = entries.where(AuditEntryRow.id < before_id)
    return (await session.execute(entries)).scalars().all()


async def erase_actors(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Forget which of the entries were made by these users, and what they say of them."""
    await session.execute(
        text("update audit_log set actor = :erased, actor_id = null where actor_id = any(:ids)"),
        {"erased": ERASED, "ids": list(user_ids)},
    )
    await session.execute(
        text(
            """update audit_log set subject = :erased, details = '{}'
               where subject = any(:ids) or details->>'user_id' = any(:ids)"""
        ),
        {"erased": ERASED, "ids": [str(user_id) for user_id in user_ids]},
    )
