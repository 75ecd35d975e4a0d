"""How the first import goes: pure, without a clock, without IO."""

from typing import Literal, TypeAlias

ImportState: TypeAlias = Literal["waiting", "counting", "done", "failing"]


def import_state(activities: int, last_outcome: str | None, *, has_succeeded: bool) -> ImportState:
    """How far it is, by what is known of somebody who has just joined."""
    if has_succeeded:
        return "done"
    if last_outcome == "failed":
        return "failing"
    return "counting" if activities else "waiting"
