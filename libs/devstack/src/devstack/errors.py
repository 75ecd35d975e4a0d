"""The errors that people see."""

from dataclasses import dataclass


class StackError(Exception):
    """One line for a person: what happened, and what to do about it."""


@dataclass(frozen=True)
class ProcessExit:
    """A process that ended without being told to. A negative code is the signal that killed it."""

    name: str
    code: int
    last_lines: tuple[str, ...]

    def __str__(self) -> str:
        how = f"was killed by signal {-self.code}" if self.code < 0 else f"ended with code {self.code}"
        return f"{self.name} {how}" + (f": {self.reason}" if self.reason else "")

    @property
    def reason(self) -> str:
        """The most telling thing it said last."""
        said = [line.strip() for line in self.last_lines if line.strip()]
        if any("No space left on device" in line or "enospc" in line for line in said):
            return "the disk is full; make room and start again"
        if any("Address already in use" in line or "eaddrinuse" in line for line in said):
            return "another program took its port meanwhile; start again"
        telling = [line for line in said if "FATAL" in line or "error:" in line.lower()]
        return (telling or said or [""])[-1][:300]


class ProgramFailed(StackError):
    """A program ended that should have gone on, or did not succeed."""

    def __init__(self, process_exit: ProcessExit) -> None:
        super().__init__(str(process_exit))
        self.process_exit = process_exit
