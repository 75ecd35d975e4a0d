"""Boards as CSV that a spreadsheet shows and does not run."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from leaderboard.standings.rules.ranking import Placed

#: What spreadsheets take for the begin of a formula, or skip before one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FIGURES = ("distance_m", "moving_time_s", "elev_gain_m", "activities")


def to_csv(rows: Iterable[Placed], *, with_points: bool) -> str:
    """A line for each row under a line of names; numbers are plain, with a point."""
    figures = (*_FIGURES, *(["points"] if with_points else []))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("place", "name", *figures))
    for row in rows:
        totals = vars(row.totals)
        writer.writerow(
            (row.place, to_text_cell(row.display_name), *(f"{Decimal(totals[name]):f}" for name in figures))
        )
    return text.getvalue()


def to_text_cell(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
