"""What an event of Strava's webhooks means: pure, without a clock, without IO."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Meaning: TypeAlias = Literal["changed", "deauthorized", "nothing"]

#: What an update may name that no challenge depends on.
_IRRELEVANT = frozenset({"title"})


def interpret(object_type: str, aspect: str, updates: Mapping[str, Any]) -> Meaning:
    """What an event asks of us. Its content decides only whether Strava is asked, never what is stored."""
    if object_type == "athlete":
        ended = aspect == "update" and str(updates.get("authorized", "")).lower() == "false"
        return "deauthorized" if ended else "nothing"
    if object_type != "activity":
        return "nothing"
    if aspect == "update" and updates and updates.keys() <= _IRRELEVANT:
        return "nothing"
    return "changed"
