"""sync: the process `api` opens jobs on events; the process `worker`, the only one that calls Strava, runs them."""

import sys
from collections.abc import Callable

import httpx

from shared.service import Service, serve
from shared.settings import exit_misconfigured
from sync.clients.auth import AuthClient
from sync.clients.strava import StravaClient
from sync.config import Settings
from sync.fetching.worker import Worker
from sync.jobs.handlers import HANDLERS

IDLE_S = 0.5  # between looks for a due job


def create_api(settings: Settings) -> Service:
    """The process that consumes events."""
    service = Service("sync-api", settings)
    service.bus.subscribe("sync.people", HANDLERS)
    return service


def create_worker(settings: Settings) -> Service:
    """The process that fetches; its HTTP side is only its health."""
    service = Service("sync-worker", settings)
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=2 * settings.sync_concurrency))
    service.on_stop(client.aclose)
    auth_client = AuthClient(client, str(settings.auth_url), settings.vault_access_key.get_secret_value())
    worker = Worker(service.database, auth_client, StravaClient(client, str(settings.strava_api_url)))
    for _ in range(settings.sync_concurrency):
        service.add_periodic_task(worker.step, IDLE_S)
    return service


PROCESSES: dict[str, Callable[[Settings], Service]] = {"api": create_api, "worker": create_worker}


def main() -> None:
    """`python -m sync.main api` or `python -m sync.main worker`."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in PROCESSES:
        exit_misconfigured(f"usage: python -m sync.main {'|'.join(PROCESSES)}")
    serve(f"sync-{name}", Settings, PROCESSES[name])


if __name__ == "__main__":
    main()
