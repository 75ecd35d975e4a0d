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
# How services begin a line that asks for nobody's attention. All else may tell of trouble.
_ROUTINE = re.compile(r"\S+ \[(?:debug|info) *\] ")


class Log:
    """Writes lines to a console and to a file, each of which may be None. The file is opened with the first line.

    With `hides_routine` what services log at the levels debug and info goes to the file only.
    """

    def __init__(
        self, console: Console | None = None, file: Path | None = None, *, hides_routine: bool = False
    ) -> None:
        self._console = console
        self._path = file
        self._file: TextIO | None = None
        self._colours: dict[str, str] = {}
        self._hides_routine = hides_routine

    def write_line(self, name: str, line: str, *, quiet: bool = False) -> None:
        """Write one line; a quiet one goes to the file only."""
        clean = _CONTROL.sub("", line)
        if not clean.strip():
            return
        self._write_file(f"{name:<{NAME_WIDTH}} {clean}\n")
        if self._console is not None and not quiet and not (self._hides_routine and _ROUTINE.match(clean)):
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            self._write_console(Text.assemble((f"{name:<{NAME_WIDTH}} ", colour), clean))

    def close(self) -> None:
        self._path = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_file(self, text: str) -> None:
        if self._path is None:
            return
        try:
            if self._file is None:
                self._file = self._path.open("a", buffering=1, encoding="utf-8")
            self._file.write(text)
        except OSError:  # A full disk must not prevent a clean stop.
            self._path = None

    def _write_console(self, text: Text) -> None:
        assert self._console is not None
        try:
            self._console.print(text, soft_wrap=True, highlight=False)
        except OSError:  # The terminal was closed.
            self._console = None
