"""Static files: read once, served under a name that holds their hash, so browsers may keep them for ever."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from web.http.branding import DEFAULT, IMAGE_TYPES, Branding

STATIC = Path(__file__).parents[1] / "static"
#: One file in place of several. htmx starts itself as soon as it has a moment, and forgets elements of an extension
#: that arrives later: on a slow connection a board would never connect.
_BUNDLES = {
    "live.js": ("vendor/htmx.min.js", "vendor/hx-sse.min.js", "updates.js", "board.js"),
    "site.css": ("css/base.css", "css/parts.css", "css/boards.css", "css/account.css", "css/people.css"),
    "admin.css": ("css/admin.css",),
}
_TYPES = {".css": "text/css", ".js": "text/javascript", **IMAGE_TYPES}


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


def load_assets(branding: Branding = DEFAULT, folder: Path = STATIC) -> Mapping[str, Asset]:
    """Every servable file by its path inside `static/`, the bundles by their names, and what organisers set."""
    bundled = {part for parts in _BUNDLES.values() for part in parts}
    single = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.suffix in _TYPES}
    contents = {name: path.read_bytes() for name, path in single.items() if name.as_posix() not in bundled}
    for bundle, parts in _BUNDLES.items():
        contents[Path(bundle)] = (b";\n" if bundle.endswith(".js") else b"\n").join(
            (folder / part).read_bytes() for part in parts
        )
    contents[Path("site.css")] += branding.css.encode()
    contents |= {Path(name): path.read_bytes() for name, path in branding.files.items()}
    return {name.as_posix(): _asset(name, content) for name, content in contents.items()}


def _asset(name: Path, content: bytes) -> Asset:
    stamp = hashlib.sha256(content).hexdigest()[:12]
    url = f"/static/{name.with_suffix('').as_posix()}.{stamp}{name.suffix}"
    return Asset(url, _TYPES[name.suffix], content)
