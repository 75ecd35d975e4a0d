"""Files that another service makes, passed on as they arrive."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from starlette.responses import StreamingResponse


async def open_download(
    source: AbstractAsyncContextManager[AsyncIterator[bytes]],
    filename: str,
    media_type: str,
    *,
    before: bytes = b"",
    after: bytes = b"",
) -> StreamingResponse:
    """The file with what stands before and after it; its name needs no quoting.

    Raises what opening the source raises, before the answer begins.
    """
    opened = AsyncExitStack()
    chunks = await opened.enter_async_context(source)
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return StreamingResponse(_pass_on(opened, chunks, before, after), media_type=media_type, headers=headers)


async def _pass_on(
    opened: AsyncExitStack, chunks: AsyncIterator[bytes], before: bytes, after: bytes
) -> AsyncIterator[bytes]:
    async with opened:  # also when the visitor leaves in the middle
        yield before
        async for chunk in chunks:
            yield chunk
        yield after
