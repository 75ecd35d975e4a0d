"""SQL over everything that is encrypted, in the order of the rows' ids."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import VaultKeyRow
from auth.token_encryption import EncryptedPair

#: Table -> its key. Each has the columns `access_token` and `refresh_token`. The statements are made of these names.
TABLES = {"tokens": "user_id", "revocations": "id"}

_pages = " union all ".join(
    f"select '{table}' as source, {key} as id, access_token, refresh_token from {table} "  # noqa: S608
    f"where refresh_token is not null and (cast(:after as uuid) is null or {key} > :after)"
    for table, key in TABLES.items()
)
_list = text(f"{_pages} order by id limit :limit")
_lock = {
    table: text(
        f"select '{table}' as source, {key} as id, access_token, refresh_token from {table} "  # noqa: S608
        f"where {key} = any(:ids) and refresh_token is not null order by {key} for update"
    )
    for table, key in TABLES.items()
}
_update = {
    table: text(
        f"update {table} set access_token = :access, refresh_token = :refresh where {key} = :id"  # noqa: S608
    )
    for table, key in TABLES.items()
}
_key_ids = text(
    " union ".join(
        f"select split_part({column}, '.', 2) from {table} where {column} is not null"  # noqa: S608
        for table in TABLES
        for column in ("access_token", "refresh_token")
    )
)


@dataclass(frozen=True)
class EncryptedRow:
    """A row of one of TABLES."""

    table: str
    id: UUID
    tokens: EncryptedPair


async def list_rows(session: AsyncSession, after: UUID | None, limit: int) -> list[EncryptedRow]:
    """The next rows after that id."""
    rows = await session.execute(_list, {"after": after, "limit": limit})
    return [_to_row(row) for row in rows]


async def lock_rows(session: AsyncSession, rows: Collection[EncryptedRow]) -> list[EncryptedRow]:
    """The same rows as they are now, unless they are gone; nobody changes them until the transaction ends."""
    locked: list[EncryptedRow] = []
    for table, statement in _lock.items():
        ids = [row.id for row in rows if row.table == table]
        if ids:
            locked += [_to_row(row) for row in await session.execute(statement, {"ids": ids})]
    return locked


async def update_rows(session: AsyncSession, rows: Sequence[EncryptedRow]) -> None:
    """Store the ciphertexts of these rows."""
    for table, statement in _update.items():
        changed: list[Mapping[str, object]] = [
            {"id": row.id, "access": row.tokens.access_token, "refresh": row.tokens.refresh_token}
            for row in rows
            if row.table == table
        ]
        if changed:
            await session.execute(statement, changed)


async def list_key_ids(session: AsyncSession) -> set[str]:
    """The ids of the keys that the ciphertexts say they are under; altered ones may say anything."""
    return set(await session.scalars(_key_ids))


async def list_samples(session: AsyncSession) -> dict[str, str]:
    """The sample of each key that the vault has had, by the key's id."""
    return {row.id: row.sample for row in await session.scalars(select(VaultKeyRow))}


async def add_samples(session: AsyncSession, samples: Mapping[str, str], now: datetime) -> None:
    """Store the samples of keys that have none."""
    rows = [{"id": key_id, "sample": sample, "added_at": now} for key_id, sample in sorted(samples.items())]
    await session.execute(insert(VaultKeyRow).on_conflict_do_nothing(), rows)


async def delete_samples(session: AsyncSession, key_ids: Collection[str]) -> None:
    """Forget keys, whose ids may be given to others then."""
    await session.execute(delete(VaultKeyRow).where(VaultKeyRow.id.in_(key_ids)))


def _to_row(row: Row[tuple[object, ...]]) -> EncryptedRow:
    return EncryptedRow(row.source, row.id, EncryptedPair(row.access_token, row.refresh_token))
