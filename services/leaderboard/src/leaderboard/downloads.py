"""Downloads of many rows: page by page, as CSV for spreadsheets or as one JSON array."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from fastapi.responses import StreamingResponse

from leaderboard.spreadsheets import format_csv

RowT = TypeVar("RowT")
#: Gives the page after that row, or the first one, in a transaction of its own.
LoadPage: TypeAlias = Callable[[RowT | None], Awaitable[Sequence[RowT]]]

_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}


async def open_pages(load: LoadPage[RowT], size: int) -> AsyncIterator[Sequence[RowT]]:
    """All pages of so many rows. No transaction stays open while a reader is slow.

    The first is loaded before the answer begins, so that it can still be an error.
    """
    return _read_on(await load(None), load, size)


async def _read_on(page: Sequence[RowT], load: LoadPage[RowT], size: int) -> AsyncIterator[Sequence[RowT]]:
    while page:
        yield page
        page = await load(page[-1]) if len(page) == size else []


async def stream_csv(
    columns: Sequence[str], pages: AsyncIterator[Sequence[RowT]], to_cells: Callable[[RowT], Iterable[object]]
) -> AsyncIterator[str]:
    """The names of the columns, and a line for each row."""
    yield format_csv([columns])
    async for page in pages:
        yield format_csv(map(to_cells, page))


async def stream_json(pages: AsyncIterator[Sequence[RowT]], to_json: Callable[[RowT], str]) -> AsyncIterator[str]:
    """An array with what each row becomes."""
    separator = "["
    async for page in pages:
        yield separator + ",".join(map(to_json, page))
        separator = ","
    yield "[]" if separator == "[" else "]"


def to_download(content: AsyncIterator[str], file_name: str) -> StreamingResponse:
    """A file of this name, which needs no quoting and ends with csv or json."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
    media_type = _MEDIA_TYPES[file_name.rpartition(".")[2]]
    return StreamingResponse(content, media_type=media_type, headers=headers)
