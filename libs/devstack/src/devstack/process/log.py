"""The output of all processes: each line is prefixed with the name of its process."""

import re
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

NAME_WIDTH = 12
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
# Terminal escape sequences and control characters, with which a process could overwrite the lines of others.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


class Log:
    """Writes lines to a console and to a file, each of which may be None."""

    def __init__(self, console: Console | None = None, file: Path | None = None) -> None:
        self._console = console
        self._file: TextIO | None = None
        self._colours: dict[str, str] = {}
        if file is not None:
            try:
                self._file = file.open("a", buffering=1, encoding="utf-8")
            except OSError:
                self._file = None

    def write_line(self, name: str, line: str, *, quiet: bool = False) -> None:
        """Write one line; a quiet one goes to the file only."""
        clean = _CONTROL.sub("", line)
        if not clean.strip():
            return
        self._write_file(f"{name:<{NAME_WIDTH}} {clean}\n")
        if self._console is not None and not quiet:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            self._write_console(Text.assemble((f"{name:<{NAME_WIDTH}} ", colour), clean))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_file(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text)
        except OSError:  # A full disk must not prevent a clean stop.
            self._file = None

    def _write_console(self, text: Text) -> None:
        assert self._console is not None
        try:
            self._console.print(text, soft_wrap=True, highlight=False)
        except OSError:  # The terminal was closed.
            self._console = None
