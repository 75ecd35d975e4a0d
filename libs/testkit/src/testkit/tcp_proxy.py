"""A TCP proxy in front of a server, to break connections between it and whoever is tested."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class TcpProxy:
    """Forwards connections to the server at `url`.

    `cut` breaks every open connection; while `refusing`, new ones are broken too and counted in `refused`; what the
    server sends arrives `delay_s` late.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._url = url
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refusing = False
        self.delay_s = 0.0
        self.refused = 0

    @property
    def url(self) -> str:
        """The server's address with the proxy's host and port."""
        assert self._server is not None
        address = f"{self._target.hostname}:{self._target.port}"
        return self._url.replace(address, f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}")

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    def cut(self) -> None:
        """Break every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        """Break every connection and stop listening."""
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            self.refused += 1
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, server_writer}
        for source, sink, is_answer in ((reader, server_writer, False), (server_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, is_answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if is_answer:
                    await asyncio.sleep(self.delay_s)
                sink.write(chunk)
                await sink.drain()
        sink.transport.abort()
        self._writers.discard(sink)


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[TcpProxy]:
    """A started proxy to that server."""
    proxy = TcpProxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
