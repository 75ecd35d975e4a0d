"""Boards as CSV."""

from collections.abc import Iterable
from decimal import Decimal

from leaderboard.spreadsheets import format_csv
from leaderboard.standings.rules.ranking import Placed

_FIGURES = ("distance_m", "moving_time_s", "elev_gain_m", "activities")


def to_csv(rows: Iterable[Placed], *, with_points: bool) -> str:
    """A line for each row under a line of names; numbers are plain, with a point."""
    figures = (*_FIGURES, *(["points"] if with_points else []))
    lines = (
        (
            row.place,
            row.display_name,
            row.team_name or "",
            *(f"{Decimal(getattr(row.totals, name)):f}" for name in figures),
        )
        for row in rows
    )
    return format_csv([("place", "name", "team", *figures), *lines])
