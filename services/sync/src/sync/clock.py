"""The time, as a parameter: a simulation of a month passes another one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

#: Gives the present time in UTC.
Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time in UTC."""
    return datetime.now(UTC)
