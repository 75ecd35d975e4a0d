"""ingest: maps, validates and de-duplicates; the record of activities."""

from zoneinfo import ZoneInfo

from ingest.config import Settings
from ingest.handlers import make_handlers
from shared.service import Service, serve

PAGES = 20  # messages in one transaction, each of which may hold 200 activities


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("ingest", settings)
    handlers = make_handlers(ZoneInfo(settings.default_time_zone))
    service.bus.subscribe("ingest.activity", handlers, batch=PAGES)
    return service


def main() -> None:
    """`python -m ingest.main`."""
    serve("ingest", Settings, create_service)


if __name__ == "__main__":
    main()
