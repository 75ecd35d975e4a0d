"""Tables as CSV that a spreadsheet shows and does not run: pure, without a clock, without IO."""

import csv
import io
from collections.abc import Iterable

#: What spreadsheets take for the begin of a formula, or skip before one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def format_csv(rows: Iterable[Iterable[object]]) -> str:
    """Lines of CSV. A cell that a spreadsheet would run as a formula has an apostrophe in front of it."""
    text = io.StringIO()
    csv.writer(text).writerows([_to_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _to_cell(value: object) -> str:
    cell = "" if value is None else str(value)
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
