"""Static files: read once, served under a name that holds their hash, so browsers may keep them for ever."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file and the URL that names this very content."""

    url: str
    media_type: str
    content: bytes

    @property
    def inline(self) -> str:
        """The whole file as an address: for what is too small to be worth a request."""
        return f"data:{self.media_type},{quote(self.content)}"


def load_assets(folder: Path = STATIC) -> Mapping[str, Asset]:
    """Every servable file by its path inside `static/`."""
    return {
        path.relative_to(folder).as_posix(): _asset(path.relative_to(folder), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES
    }


def _asset(name: Path, content: bytes) -> Asset:
    stamp = hashlib.sha256(content).hexdigest()[:12]
    url = f"/static/{name.with_suffix('').as_posix()}.{stamp}{name.suffix}"
    return Asset(url, _TYPES[name.suffix], content)
