"""ingest: maps, judges and de-duplicates activities; the record of them."""

from datetime import tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from ingest.config import Settings
from ingest.dependencies import ApiContext
from ingest.people.handlers import PEOPLE_HANDLERS
from ingest.recording.handlers import lock_people, make_record_handlers
from ingest.retention.handlers import RETENTION_HANDLERS
from ingest.retention.use_cases import purge_if_due
from ingest.status import routes
from shared.http.api import add_routes
from shared.messaging.bus import Bus
from shared.messaging.inbox import Handlers
from shared.service import Service, serve

QUEUE = "ingest.activity"
PAGES = 20  # messages in one transaction, each of which may hold 200 activities
PURGE_INTERVAL_S = 60.0


def make_handlers(default_time_zone: tzinfo) -> Handlers:
    """The handler of each event."""
    return {**make_record_handlers(default_time_zone), **PEOPLE_HANDLERS, **RETENTION_HANDLERS}


def subscribe(bus: Bus, default_time_zone: tzinfo) -> None:
    """Consume what is told of activities and of people, one writer at a time for each person."""
    bus.subscribe(QUEUE, make_handlers(default_time_zone), batch=PAGES, prepare=lock_people)


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("ingest", settings)
    zone = ZoneInfo(settings.default_time_zone)
    context = ApiContext(service.database, zone, settings.ingest_operator_key.get_secret_value())
    configure_api(context, service.internal_app)
    subscribe(service.bus, zone)
    service.add_periodic_task(partial(purge_if_due, service.database), PURGE_INTERVAL_S)
    return service


def configure_api(context: ApiContext, internal_app: FastAPI) -> None:
    """Add what operators ask."""
    internal_app.state.database, internal_app.state.context = context.database, context
    add_routes(internal_app, routes.router)


def main() -> None:
    """`python -m ingest.main`."""
    serve("ingest", Settings, create_service)


if __name__ == "__main__":
    main()
