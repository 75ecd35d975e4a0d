"""Generated secrets, kept for the next start where only their owner can read them."""

import os
import secrets
from pathlib import Path


def generate_secret() -> str:
    """A password that needs no quoting anywhere."""
    return secrets.token_hex(24)


def write_private(path: Path, text: str) -> None:
    """Write the whole file or nothing, readable by its owner only."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def load_or_create(path: Path) -> str:
    """The secret in this file; made on the first call."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        write_private(path, generate_secret())
        return path.read_text(encoding="utf-8").strip()
