"""What the processes say: one line each, behind the process's name."""

import re
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

NAME_WIDTH = 12
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
# Escape sequences and control characters would let one process paint over another's lines.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


class Log:
    """Shows lines on a console (None: nowhere) and keeps them in a file (None: nowhere)."""

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
        """Log one line; a quiet line goes to the file only."""
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
        except OSError:  # A full disk must not stop the system from being stopped.
            self._file = None

    def _write_console(self, text: Text) -> None:
        assert self._console is not None
        try:
            self._console.print(text, soft_wrap=True, highlight=False)
        except OSError:  # The terminal is gone.
            self._console = None
