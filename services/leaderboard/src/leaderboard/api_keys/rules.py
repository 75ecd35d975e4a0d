"""What API keys look like, and what is stored of them."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

_PRESENTED = re.compile(r"Bearer gruppetto_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class PresentedKey:
    """A key that somebody shows: its id, and the hash by which it is known."""

    id: int
    hash: bytes = field(repr=False)


def format_key(key_id: int, secret: str) -> str:
    """The key as its owner gets it."""
    return f"gruppetto_{key_id}_{secret}"


def hash_secret(secret: str) -> bytes:
    """What is stored: of a secret of 32 random bytes nobody finds the secret from it, however fast the hash is."""
    return hashlib.sha256(secret.encode()).digest()


def parse_key(authorization: str) -> PresentedKey | None:
    """The key in the header `Authorization`; None when it has none."""
    found = _PRESENTED.fullmatch(authorization)
    return PresentedKey(int(found[1]), hash_secret(found[2])) if found else None


def window_start(now: datetime) -> datetime:
    """The beginning of the minute in which requests are counted together."""
    return now.replace(second=0, microsecond=0)
