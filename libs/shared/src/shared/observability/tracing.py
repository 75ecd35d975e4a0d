"""W3C trace context across the bus; spans exist only where the process was given an OpenTelemetry SDK."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import propagate, trace

_FIELDS = ("traceparent", "tracestate")
_tracer = trace.get_tracer("gruppetto")


def trace_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers that carry a trace; empty when there is none."""
    return {name: str(headers[name]) for name in _FIELDS if name in headers}


@contextmanager
def consumer_span(consumer: str, carriers: Sequence[Mapping[str, str]]) -> Iterator[str | None]:
    """A span for handling events: it goes on with their trace when they share one, and links to them when not.

    Gives the trace id in hex, None outside of any trace.
    """
    distinct = {carrier["traceparent"]: carrier for carrier in carriers if "traceparent" in carrier}
    parents = [propagate.extract(carrier) for carrier in distinct.values()]
    contexts = [trace.get_current_span(parent).get_span_context() for parent in parents]
    one_trace = len({context.trace_id for context in contexts}) == 1
    with _tracer.start_as_current_span(
        f"process {consumer}",
        context=parents[0] if one_trace else None,
        kind=trace.SpanKind.CONSUMER,
        links=[trace.Link(context) for context in contexts if context.is_valid],
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "messaging.destination.name": consumer,
            "messaging.batch.message_count": len(carriers),
        },
        record_exception=False,  # its text may hold what no trace may
        set_status_on_exception=False,
    ) as span:
        context = span.get_span_context()
        try:
            yield f"{context.trace_id:032x}" if context.is_valid else None
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
