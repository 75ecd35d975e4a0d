"""sync: the process `api` opens and releases jobs; the process `worker`, which alone calls Strava's data API, runs
them.
"""

import sys
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from shared.contracts.events import JobReleased
from shared.database.engine import Database
from shared.http.api import add_routes
from shared.service import Service, serve
from shared.settings import exit_misconfigured
from sync.clients.auth import AuthClient
from sync.clients.strava import StravaClient
from sync.clients.subscriptions import SubscriptionClient, Webhooks
from sync.clock import Clock, utc_now
from sync.config import ApiSettings, WorkerSettings
from sync.dependencies import ApiContext
from sync.fetching.calls import FetchContext
from sync.fetching.worker import Worker
from sync.jobs.dispatcher import dispatch
from sync.jobs.handlers import make_handlers
from sync.jobs.queries import purge_jobs
from sync.nightly.use_cases import run_if_due
from sync.status import routes as status_routes
from sync.status.use_cases import update_metrics
from sync.webhooks import routes as webhooks_routes
from sync.webhooks.queries import purge_events
from sync.webhooks.use_cases import EventWriter, check_if_due, note_listening

DISPATCH_INTERVAL_S = 0.25
NIGHTLY_INTERVAL_S = 15.0
SUBSCRIPTION_INTERVAL_S = 5.0
LISTENING_INTERVAL_S = 30.0
METRICS_INTERVAL_S = 15.0
PURGE_INTERVAL_S = 3600.0
JOBS_KEPT = timedelta(days=30)
EVENTS_KEPT = timedelta(days=7)


def create_api(settings: ApiSettings) -> Service:
    """The process that consumes events, receives webhooks, and decides when what is fetched."""
    service = Service("sync-api", settings)
    client = httpx.AsyncClient()
    service.on_stop(client.aclose)
    webhooks = _webhooks(settings, client)
    database = service.database
    context = ApiContext(
        database,
        webhooks,
        settings.sync_operator_key.get_secret_value(),
        freshness=timedelta(seconds=settings.freshness_s),
    )
    configure_api(context, service.app, service.internal_app)
    service.bus.subscribe("sync.people", make_handlers())
    zone = ZoneInfo(settings.nightly_time_zone)

    async def release() -> bool:
        return await dispatch(database, utc_now())

    service.add_periodic_task(release, DISPATCH_INTERVAL_S)
    service.add_periodic_task(partial(run_if_due, database, utc_now, zone, settings.relist_days), NIGHTLY_INTERVAL_S)
    service.add_periodic_task(partial(update_metrics, database, utc_now), METRICS_INTERVAL_S)
    service.add_periodic_task(partial(purge, database, utc_now), PURGE_INTERVAL_S)
    if webhooks is not None:
        service.add_periodic_task(partial(check_if_due, database, webhooks, utc_now), SUBSCRIPTION_INTERVAL_S)
        service.add_periodic_task(partial(note_listening, database, utc_now), LISTENING_INTERVAL_S)
    return service


def configure_api(context: ApiContext, app: FastAPI, internal_app: FastAPI) -> None:
    """Add the webhooks to the application that faces the internet, and the rest to the other."""
    for one in (app, internal_app):
        one.state.database, one.state.context = context.database, context
    app.state.event_writer = EventWriter(context.database, context.clock, context.freshness)
    add_routes(app, webhooks_routes.router)
    add_routes(internal_app, status_routes.router)


def _webhooks(settings: ApiSettings, client: httpx.AsyncClient) -> Webhooks | None:
    if (
        settings.webhook_url is None
        or settings.webhook_secret is None
        or settings.strava_client_id is None
        or settings.strava_client_secret is None
    ):
        return None
    secret = settings.strava_client_secret.get_secret_value()
    subscriptions = SubscriptionClient(client, str(settings.strava_api_url), settings.strava_client_id, secret)
    return Webhooks(str(settings.webhook_url), settings.webhook_secret.get_secret_value(), subscriptions)


async def purge(database: Database, clock: Clock) -> bool:
    """Delete some of what is too old to be looked at; returns whether there may be more."""
    now = clock()
    async with database.transaction() as session:
        more_jobs = await purge_jobs(session, now - JOBS_KEPT)
    async with database.transaction() as session:
        more_events = await purge_events(session, now - EVENTS_KEPT, now - JOBS_KEPT)
    return more_jobs or more_events


def create_worker(settings: WorkerSettings) -> Service:
    """The process that fetches; its HTTP side is only its health."""
    service = Service("sync-worker", settings)
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=2 * settings.sync_concurrency))
    service.on_stop(client.aclose)
    auth_client = AuthClient(client, str(settings.auth_url), settings.vault_access_key.get_secret_value())
    strava = StravaClient(client, str(settings.strava_api_url))
    freshness = timedelta(seconds=settings.freshness_s)
    worker = Worker(FetchContext(service.database, auth_client, strava, freshness=freshness))
    service.bus.subscribe_work(
        "sync.jobs",
        JobReleased,
        worker.run_released,
        concurrency=settings.sync_concurrency,
        on_stop=worker.stop,
    )
    return service


def main() -> None:
    """`python -m sync.main api` or `python -m sync.main worker`."""
    match sys.argv[1:]:
        case ["api"]:
            serve("sync-api", ApiSettings, create_api)
        case ["worker"]:
            serve("sync-worker", WorkerSettings, create_worker)
        case _:
            exit_misconfigured("usage: python -m sync.main api|worker")


if __name__ == "__main__":
    main()
