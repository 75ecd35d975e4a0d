"""Encryption of tokens: AES-256-GCM under a keyring, bound to the row that holds the ciphertext."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_NONCE_BYTES = 12


class TokenDecryptionError(Exception):
    """A token in the vault cannot be decrypted: its key is missing from VAULT_KEYS, or the row was altered."""


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
            if not key_id or "." in key_id or len(key) != 32 or key_id in keys:
                raise ValueError("expected id:key,... with distinct ids and keys of 32 bytes in base64")
            keys[key_id] = key
        return cls(next(iter(keys)), keys)

    def encrypt(self, plaintext: str, row: str) -> str:
        """Ciphertext `v1.<key id>.<nonce>.<sealed>`, readable only with the same `row` identity."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        encrypted = AESGCM(self.keys[self.active]).encrypt(nonce, plaintext.encode(), row.encode())
        return ".".join((_VERSION, self.active, _encode(nonce), _encode(encrypted)))

    def decrypt(self, ciphertext: str, row: str) -> str:
        """The plaintext; raises VaultError when the key is unknown or the ciphertext is not this row's."""
        try:
            version, key_id, nonce, encrypted = ciphertext.split(".")
            if version != _VERSION:
                raise ValueError(version)
            return AESGCM(self.keys[key_id]).decrypt(_decode(nonce), _decode(encrypted), row.encode()).decode()
        except (ValueError, KeyError, InvalidTag) as error:
            raise TokenDecryptionError(TokenDecryptionError.__doc__) from error


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
