"""Reading this process's metrics."""

import prometheus_client


def metric_value(name: str, labels: dict[str, str] | None = None) -> float:
    """The value of a metric now; fails when there is none with these labels."""
    value = prometheus_client.REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"no {name} with {labels}"
    return value
