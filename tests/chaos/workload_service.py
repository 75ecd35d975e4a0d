"""All roles of the workload in one real service; a separate module, because importing the web framework is slow."""

from workload import TRANSACTION_SIZES, Producer, Settings, subscribe

from shared.service import Service, run


def build_service(settings: Settings) -> Service:
    """The service with its consumer and, unless `rate` is 0, its producer."""
    service = Service(settings.name, settings)
    subscribe(service.bus, service.sessions, settings)
    if settings.rate:
        producer = Producer(service.sessions, settings)

        async def step() -> bool:
            await producer.step()
            return False

        service.repeat(step, sum(TRANSACTION_SIZES) / len(TRANSACTION_SIZES) / settings.rate)
    return service


if __name__ == "__main__":
    run("workload", Settings, build_service)
