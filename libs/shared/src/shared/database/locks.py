"""Advisory locks that end with their transaction."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def lock_people(session: AsyncSession, service: str, user_ids: Collection[UUID]) -> None:
    """One writer of a service at a time for each of these users; everybody takes the locks in one order."""
    await session.execute(
        text(
            """select pg_advisory_xact_lock(key) from (
                 select hashtextextended(:prefix || id, 0) as key
                 from unnest(cast(:user_ids as text[])) as id order by key) as ordered"""
        ),
        {"prefix": f"{service}:", "user_ids": [str(user_id) for user_id in user_ids]},
    )
