"""Statements about a batch of rows: one array parameter for each column, with the types that the table has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def batch_of(row: type[DeclarativeBase], columns: Sequence[str], *, numbered: bool = False) -> str:
    """`unnest(cast(:strava_id as BIGINT[]), …) as batch (strava_id, …)`, for the text of a statement.

    A column that is an array itself takes the texts of `to_array_text`, because arrays of arrays have to be of one
    length. `numbered` adds a column `number` from 1 on.
    """
    types = {name: inspect(row).columns[name].type.compile(_DIALECT) for name in columns}
    arrays = ", ".join(f"cast(:{name} as {'TEXT' if _is_array(kind) else kind}[])" for name, kind in types.items())
    names = [*columns, *(["number"] if numbered else [])]
    batch = f"unnest({arrays}){' with ordinality' if numbered else ''} as batch ({', '.join(names)})"
    if not any(map(_is_array, types.values())):
        return batch
    read = ", ".join(f"{name}::{types[name]}" if _is_array(types.get(name, "")) else name for name in names)
    return f"(select {read} from {batch}) as batch"  # noqa: S608 - made of the names of columns


def _is_array(kind: str) -> bool:
    return kind.endswith("[]")


def to_array_text(values: Iterable[object]) -> str:
    """A Postgres array of numbers, or of words without quotes and commas, as text."""
    return f"{{{','.join(map(str, values))}}}"


def to_columns(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[Any]]:
    """The parameters of such a statement."""
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in columns}
