"""Generated secrets in files that only their owner can read, the same at every start."""

import os
import secrets
from pathlib import Path


def generate_secret() -> str:
    """48 random hexadecimal digits, which need no quoting in urls, SQL or files."""
    return secrets.token_hex(24)


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, with mode 0600."""
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        staging.replace(path)
    except OSError:
        staging.unlink(missing_ok=True)
        raise


def load_or_create(path: Path) -> str:
    """The secret in this file, which is generated when the file does not exist."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        secret = generate_secret()
        write_private(path, secret)
        return secret
