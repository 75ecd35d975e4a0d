"""All roles of the storm in the true frame of a service; apart, because the web framework makes a slow start."""

from storm import SIZES, Producer, Settings, subscribe

from shared.service import Service, serve


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service(settings.name, settings)
    subscribe(service.bus, service.database, settings)
    if settings.rate:
        producer = Producer(service.database, settings)

        async def step() -> bool:
            await producer.step()
            return False

        service.add_periodic_task(step, sum(SIZES) / len(SIZES) / settings.rate)
    return service


if __name__ == "__main__":
    serve("storm", Settings, create_service)
