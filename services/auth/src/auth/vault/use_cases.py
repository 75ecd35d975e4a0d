"""The vault as a whole: which key is what under, does all of it decrypt, and encrypting it anew."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import structlog

from auth.dependencies import AuthContext
from auth.token_encryption import (
    Cell,
    EncryptedPair,
    Keyring,
    TokenDecryptionError,
    TokenPair,
    encrypt_pair,
    key_id_of,
)
from auth.vault import queries
from auth.vault.queries import EncryptedRow
from shared.contracts.auth_api import UnreadableToken, VaultPage

log = structlog.stdlib.get_logger(__name__)


async def check(context: AuthContext, after: UUID | None, limit: int) -> VaultPage:
    """Decrypt the next rows and say which cannot be, and under which key the others are."""
    async with context.database.transaction() as session:
        rows = await queries.list_rows(session, after, limit)
    return _to_page(context.keyring, rows, (), limit)


async def rotate(context: AuthContext, after: UUID | None, limit: int) -> VaultPage:
    """Encrypt the next rows under the active key, those that are not; what cannot be decrypted stays as it is."""
    keyring = context.keyring
    async with context.database.transaction() as session:
        page = await queries.list_rows(session, after, limit)
        outdated = await queries.lock_rows(session, [row for row in page if not _is_current(keyring, row)])
        rotated = [fresh for row in outdated if (fresh := _encrypt_anew(keyring, row)) is not None]
        await queries.update_rows(session, rotated)
    return _to_page(keyring, page, rotated, limit)


async def find_key_problem(context: AuthContext) -> str | None:
    """What is wrong with the keyring, in a sentence: a key that is needed is missing, or is another one.

    Keys that were never in a keyring are not asked for: an altered row must not keep the service from starting.
    """
    keyring = context.keyring
    async with context.database.transaction() as session:
        used, samples = await queries.list_key_ids(session), await queries.list_samples(session)
        missing = sorted(samples.keys() & used - keyring.keys.keys())
        if missing:
            return f"VAULT_KEYS lacks {', '.join(missing)}, under which tokens are encrypted"
        for key_id in sorted(samples.keys() & keyring.keys.keys()):
            if isinstance(_decrypt(keyring, _sample_cell(key_id), samples[key_id]), UnreadableToken):
                return f"VAULT_KEYS has another key as {key_id} than the one under which tokens are encrypted"
        await queries.delete_samples(session, samples.keys() - keyring.keys.keys())
        await queries.add_samples(
            session, {key_id: _sample(keyring, key_id) for key_id in keyring.keys}, datetime.now(UTC)
        )
    return None


def _sample(keyring: Keyring, key_id: str) -> str:
    return replace(keyring, active=key_id).encrypt("sample", _sample_cell(key_id))


def _sample_cell(key_id: str) -> Cell:
    return Cell("vault_keys", UUID(int=0), key_id)


def _is_current(keyring: Keyring, row: EncryptedRow) -> bool:
    return keyring.is_current(row.tokens.access_token) and keyring.is_current(row.tokens.refresh_token)


def _encrypt_anew(keyring: Keyring, row: EncryptedRow) -> EncryptedRow | None:
    access, refresh = (_decrypt(keyring, cell, ciphertext) for cell, ciphertext in _cells(row))
    if isinstance(access, UnreadableToken) or isinstance(refresh, UnreadableToken):
        return None
    return EncryptedRow(row.table, row.id, encrypt_pair(keyring, row.table, row.id, TokenPair(access, refresh)))


def _cells(row: EncryptedRow) -> list[tuple[Cell, str]]:
    return [
        (Cell(row.table, row.id, "access"), row.tokens.access_token),
        (Cell(row.table, row.id, "refresh"), row.tokens.refresh_token),
    ]


def _decrypt(keyring: Keyring, cell: Cell, ciphertext: str) -> str | UnreadableToken:
    try:
        return keyring.decrypt(ciphertext, cell)
    except TokenDecryptionError as error:
        log.error("token unreadable", cell=str(cell), key=error.key_id)
        return UnreadableToken(table=cell.table, row=cell.row, column=cell.column, key_id=error.key_id)


def _to_page(
    keyring: Keyring, rows: Sequence[EncryptedRow], rotated: Collection[EncryptedRow], limit: int
) -> VaultPage:
    fresh = {(row.table, row.id): row for row in rotated}
    after = [fresh.get((row.table, row.id), row) for row in rows]
    tried = [_decrypt(keyring, cell, ciphertext) for row in after for cell, ciphertext in _cells(row)]
    by_key = Counter(key_id for row in after for key_id in _key_ids(row.tokens))
    return VaultPage(
        rows=len(rows),
        rows_by_key=dict(by_key),
        rotated=len(rotated),
        unreadable=tuple(one for one in tried if isinstance(one, UnreadableToken)),
        next_after=rows[-1].id if len(rows) == limit else None,
    )


def _key_ids(tokens: EncryptedPair) -> set[str]:
    """The keys that a row needs, usually one."""
    return {key_id_of(tokens.access_token), key_id_of(tokens.refresh_token)}
