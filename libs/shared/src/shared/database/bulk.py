"""Statements about a batch of rows: one array parameter for each column, with the types that the table has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def batch_of(row: type[DeclarativeBase], columns: Sequence[str]) -> str:
    """`unnest(cast(:strava_id as BIGINT[]), …) as batch (strava_id, …)`, for the text of a statement."""
    types = {name: inspect(row).columns[name].type.compile(_DIALECT) for name in columns}
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in types.items())
    return f"unnest({arrays}) as batch ({', '.join(columns)})"


def to_columns(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[Any]]:
    """The parameters of such a statement."""
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in columns}
