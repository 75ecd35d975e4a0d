"""What organisers set of the site's looks: its name, a logo, an accent colour, and Strava's own files."""

import colorsys
import re
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 50_000
IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
MIN_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
_PAPERS = {"light": (0.984, 0.984, 0.976), "dark": (0.106, 0.129, 0.141)}  # what text in the accent stands on
_ON_ACCENTS = {"light": (1.0, 1.0, 1.0), "dark": (0.047, 0.125, 0.11)}
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Branding:
    """`logo`, `connect_button` and `powered_by` are files; without Strava's own, their words stand there as text."""

    name: str = "Gruppetto"
    accent: str = ""  # #rrggbb
    logo: Path | None = None
    connect_button: Path | None = None  # Strava's official "Connect with Strava", 48 px high
    powered_by: Path | None = None  # Strava's official "Powered by Strava"

    @property
    def files(self) -> dict[str, Path]:
        """Names under which the files are served, and where they are."""
        named = {"logo": self.logo, "connect": self.connect_button, "powered-by": self.powered_by}
        return {f"brand/{name}{path.suffix}": path for name, path in named.items() if path is not None}

    @property
    def css(self) -> str:
        """The accent in both themes, changed as little as its contrast needs."""
        if not self.accent:
            return ""
        light, dark = (_to_hex(adapt(parse_colour(self.accent), theme)) for theme in ("light", "dark"))
        return f":root:root {{ --accent: light-dark({light}, {dark}); }}\n"


def check_file(path: Path | None) -> Path | None:
    """The path if it is a small image. Raises ValueError with what is wrong."""
    if path is None:
        return None
    if path.suffix not in IMAGE_TYPES:
        raise ValueError(f"it must be a file that ends with {', '.join(IMAGE_TYPES)}")
    if not path.is_file():
        raise ValueError("there is no such file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"it must have at most {MAX_FILE_BYTES // 1000} KB, because every visitor loads it")
    return path


def parse_colour(text: str) -> RGB:
    """Red, green and blue from 0 to 1 of #rrggbb. Raises ValueError."""
    match = _HEX.fullmatch(text)
    if match is None:
        raise ValueError("it must be a colour such as #0b6e5f")
    red, green, blue = (int(part, 16) / 255 for part in match.groups())
    return red, green, blue


def contrast(one: RGB, other: RGB) -> float:
    """WCAG's contrast of two colours, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def adapt(colour: RGB, theme: str) -> RGB:
    """The colour as light or dark as its contrast needs: as text on the page, and as a button under its text."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour)
    step, end = (-0.01, 0.0) if theme == "light" else (0.01, 1.0)  # black and white can be read
    while not _is_readable(colour, theme) and lightness != end:
        lightness = min(1.0, max(0.0, lightness + step))
        colour = colorsys.hls_to_rgb(hue, lightness, saturation)
    return colour


def _is_readable(colour: RGB, theme: str) -> bool:
    return all(contrast(colour, other) >= MIN_CONTRAST for other in (_PAPERS[theme], _ON_ACCENTS[theme]))


def _luminance(colour: RGB) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _to_hex(colour: RGB) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


DEFAULT = Branding()
