"""Errors whose message is shown to the user."""

from dataclasses import dataclass


class StackError(Exception):
    """The message is one line: what happened, and what the user can do about it."""


@dataclass(frozen=True)
class ProcessExit:
    """How a process ended, with the last lines of its output. A negative code is minus the signal that killed it."""

    name: str
    code: int
    last_lines: tuple[str, ...]

    def __str__(self) -> str:
        how = f"was killed by signal {-self.code}" if self.code < 0 else f"ended with code {self.code}"
        return f"{self.name} {how}" + (f": {self.reason}" if self.reason else "")

    @property
    def reason(self) -> str:
        """The most informative of the last lines, at most 300 characters; a known cause is replaced by advice."""
        lines = [line.strip() for line in self.last_lines if line.strip()]
        if any("No space left on device" in line or "enospc" in line for line in lines):
            return "the disk is full; make room and start again"
        if any("Address already in use" in line or "eaddrinuse" in line for line in lines):
            return "another program took its port meanwhile; start again"
        errors = [line for line in lines if "FATAL" in line or "error:" in line.lower()]
        return (errors or lines or [""])[-1][:300]
