"""Version numbers that grow with time, so that they stay above what was given out before a restore."""

#: SQL for the time in microseconds, by the database's clock.
NOW_US = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"


def next_version(column: str) -> str:
    """SQL for a number above the column's, and above what it was before a restore as long as clocks go forward."""
    return f"greatest({column} + 1, {NOW_US})"
