"""Encryption of tokens: AES-256-GCM under a keyring, bound to the row and column that hold the ciphertext."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class TokenDecryptionError(Exception):
    """A token in the vault cannot be decrypted: its key is missing from VAULT_KEYS, or the row was altered."""

    def __init__(self, cell: "Cell", key_id: str) -> None:
        super().__init__(self.__doc__)
        self.cell = cell
        self.key_id = key_id


@dataclass(frozen=True)
class Cell:
    """Where a ciphertext is stored, and what it is bound to."""

    table: str
    row: UUID
    column: str

    def __str__(self) -> str:
        return f"{self.table}/{self.row}/{self.column}"


@dataclass(frozen=True)
class Keyring:
    """Several keys by id; the active one encrypts, all of them decrypt."""

    active: str
    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `id:base64,id:base64`, the first one active. Raises ValueError without naming any key."""
        keys: dict[str, bytes] = {}
        for entry in text.split(","):
            key_id, _, encoded = entry.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:  # whose text would show a part of what it cannot read
                key = b""
            if not key_id or "." in key_id or len(key) != _KEY_BYTES or key_id in keys:
                raise ValueError("expected id:key,... with distinct ids and keys of 32 bytes in base64")
            keys[key_id] = key
        return cls(next(iter(keys)), keys)

    def encrypt(self, plaintext: str, cell: Cell) -> str:
        """Ciphertext `v1.<key id>.<nonce>.<encrypted>`, readable only as this cell's."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        encrypted = AESGCM(self.keys[self.active]).encrypt(nonce, plaintext.encode(), str(cell).encode())
        return ".".join((_VERSION, self.active, _encode(nonce), _encode(encrypted)))

    def decrypt(self, ciphertext: str, cell: Cell) -> str:
        """The plaintext; raises TokenDecryptionError when the key is unknown or the ciphertext is not this cell's."""
        try:
            version, key_id, nonce, encrypted = ciphertext.split(".")
            if version != _VERSION:
                raise ValueError(version)
            data = AESGCM(self.keys[key_id]).decrypt(_decode(nonce), _decode(encrypted), str(cell).encode())
            return data.decode()
        except (ValueError, KeyError, InvalidTag) as error:
            raise TokenDecryptionError(cell, key_id_of(ciphertext)) from error

    def is_current(self, ciphertext: str) -> bool:
        """Whether the ciphertext is under the active key."""
        return key_id_of(ciphertext) == self.active


def key_id_of(ciphertext: str) -> str:
    """The id of the key that a ciphertext says it is under; empty if it is none."""
    version, _, rest = ciphertext.partition(".")
    key_id, separator, _ = rest.partition(".")
    return key_id if version == _VERSION and separator else ""


@dataclass(frozen=True)
class TokenPair:
    """An access token and a refresh token, in the clear."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


@dataclass(frozen=True)
class EncryptedPair:
    """Both as ciphertext."""

    access_token: str
    refresh_token: str


def encrypt_pair(keyring: Keyring, table: str, row: UUID, pair: TokenPair) -> EncryptedPair:
    """The ciphertexts for the columns `access_token` and `refresh_token` of that row."""
    return EncryptedPair(
        keyring.encrypt(pair.access, Cell(table, row, "access")),
        keyring.encrypt(pair.refresh, Cell(table, row, "refresh")),
    )


def decrypt_pair(keyring: Keyring, table: str, row: UUID, pair: EncryptedPair) -> TokenPair:
    """What `encrypt_pair` encrypted. Raises TokenDecryptionError."""
    return TokenPair(
        keyring.decrypt(pair.access_token, Cell(table, row, "access")),
        keyring.decrypt(pair.refresh_token, Cell(table, row, "refresh")),
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    data = base64.b64decode(text, altchars=b"-_", validate=True)
    if _encode(data) != text:  # the last character has bits that decode to nothing
        raise ValueError("not what _encode makes")
    return data
