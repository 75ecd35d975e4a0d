"""The simulated Strava under load: list calls a second on one core, and memory with a large dataset.

`python bench/strava.py` prints one line of JSON. The server is one process; the client is another, on raw sockets, so
that the figure is the server's.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.stack.stack import is_healthy

ATHLETES, DAYS = 1_000, 400
LARGE_ATHLETES, LARGE_DAYS = 10_000, 120
CONNECTIONS = 8
SECONDS = 5.0
ROUNDS = 3
BACK = "http://localhost/back"


@asynccontextmanager
async def simulator(supervisor: Supervisor, athletes: int, days: int) -> AsyncIterator[tuple[str, int]]:
    """A running simulator: its address and process id."""
    [port] = reserve_ports(1)
    argv = [sys.executable, "-m", "stravasim", "serve", "--port", str(port), "--athletes", str(athletes)]
    limits = ",".join(["999999999"] * 4)
    process = await supervisor.start("strava", [*argv, "--days", str(days), "--limits", limits], quiet=True)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient() as client:
        await supervisor.wait_until_ready("strava", lambda: is_healthy(client, f"{url}/_sim/health"), 60)
    yield url, process.pid
    await supervisor.stop("strava")


async def tokens(client: httpx.AsyncClient, athlete_ids: list[int]) -> list[str]:
    """An access token for each athlete, got as an application gets it."""
    got = []
    for athlete_id in athlete_ids:
        form = {"client_id": "12345", "redirect_uri": BACK, "response_type": "code", "scope": "activity:read_all"}
        consent = {"athlete_id": athlete_id, "decision": "authorize", "granted": "activity:read_all"}
        sent = await client.post("/oauth/authorize", data=form | consent)
        [code] = parse_qs(urlsplit(sent.headers["location"]).query)["code"]
        secret = {"client_id": "12345", "client_secret": "simulated-secret"}
        answer = await client.post("/oauth/token", data=secret | {"grant_type": "authorization_code", "code": code})
        got.append(answer.json()["access_token"])
    return got


async def calls_per_s(url: str, bearers: list[str], per_page: int) -> float:
    """List calls, each for another athlete, over a few connections."""
    parts = urlsplit(url)
    deadline = time.perf_counter() + SECONDS
    done = 0

    async def call(worker: int) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        number = worker
        while time.perf_counter() < deadline:
            path = f"/api/v3/athlete/activities?per_page={per_page}&page={1 + number % 2}"
            bearer = bearers[number * 7 % len(bearers)]
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            done += 1
            number += CONNECTIONS
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(call(worker) for worker in range(CONNECTIONS)))
    return done / (time.perf_counter() - started)


def peak_mb(pid: int) -> int:
    """The most memory that the process ever held."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


async def main() -> None:
    figures: dict[str, float] = {}
    async with Supervisor() as supervisor:
        async with (
            simulator(supervisor, ATHLETES, DAYS) as (url, _),
            httpx.AsyncClient(base_url=url, timeout=600) as client,
        ):
            athletes = (await client.get("/_sim/athletes")).json()  # generates every history
            figures["activities"] = sum(athlete["activities"] for athlete in athletes)
            bearers = await tokens(client, [athlete["id"] for athlete in athletes])
            for per_page in (30, 200):
                rates = [await calls_per_s(url, bearers, per_page) for _ in range(ROUNDS)]
                figures[f"calls_per_s_{per_page}_a_page"] = round(statistics.median(rates))
        async with (
            simulator(supervisor, LARGE_ATHLETES, LARGE_DAYS) as (url, pid),
            httpx.AsyncClient(base_url=url, timeout=900) as client,
        ):
            athletes = (await client.get("/_sim/athletes")).json()
            figures["large_dataset_activities"] = sum(athlete["activities"] for athlete in athletes)
            figures["large_dataset_peak_mb"] = peak_mb(pid)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
