"""All roles of the workload in one real service; a separate module, because importing the web framework is slow."""

from workload import TRANSACTION_SIZES, Producer, Settings, subscribe

from shared.service import Service, serve


def build_service(settings: Settings) -> Service:
    """The service with its consumer and, unless `rate` is 0, its producer."""
    service = Service(settings.name, settings)
    subscribe(service.bus, service.database, settings)
    if settings.rate:
        producer = Producer(service.database, settings)

        async def step() -> bool:
            await producer.step()
            return False

        service.add_periodic_task(step, sum(TRANSACTION_SIZES) / len(TRANSACTION_SIZES) / settings.rate)
    return service


if __name__ == "__main__":
    serve("workload", Settings, build_service)
