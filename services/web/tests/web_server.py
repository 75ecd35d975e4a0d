"""The site in a process of its own, for browsers and for bytes that no client would send."""

import asyncio
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from testkit.waiting import wait_until

HERE = Path(__file__).parent


@dataclass
class Server:
    """The site in a process of its own."""

    url: str
    process: asyncio.subprocess.Process


async def start_server(database_url: str) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "web_harness.py"), str(port), database_url
    )
    await wait_until(lambda: _listens(port), "the server listens")
    return Server(f"http://127.0.0.1:{port}", process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
