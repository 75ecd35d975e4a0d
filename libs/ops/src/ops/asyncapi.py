"""The AsyncAPI document: every event, where it is published, and which queues receive it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ops.contracts import resolve_refs, schema_of
from shared.contracts.events import Event
from shared.contracts.queues import exchange_name

Json: TypeAlias = dict[str, Any]
Queues: TypeAlias = Mapping[str, Sequence[type[Event]]]

_BINDING = {"bindingVersion": "0.3.0"}

# Later drafts are not among the formats that every AsyncAPI tool has to read.
_DRAFT = "application/schema+json;version=draft-07"

_PROMISES = """\
Facts from Gruppetto: past tense, CloudEvents 1.0 in binary mode over AMQP 0-9-1, bodies in JSON.

- **At least once.** Tell duplicates by the header `cloudEvents_id`.
- **In no order across subjects.** Of one subject, `version`, `revision` or `fetch_seq` tells old from new.
- **Seven days.** The stream `ev.archive` keeps every event for seven days.
- **Additive.** Within a version fields and values are added, and nothing is removed, retyped or newly required:
  ignore what you do not know. Anything else is a new version of the event, `.v2`, published beside `.v1`.

The channels that end in a version are events, at the exchange of the service that publishes them. The others are the
durable queues of the services that listen; a subscriber binds a queue of its own instead of taking from one of those.
"""


def document(events: Sequence[type[Event]], queues: Queues, samples: Mapping[str, Any], version: str) -> Json:
    """The document of these events and queues; `samples` are example bodies by routing key."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:gruppetto:events",
        "info": {"title": "Gruppetto events", "version": version, "description": _PROMISES},
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {
            **{event.routing_key(): _event_channel(event) for event in events},
            **{queue: _queue_channel(queue, consumed) for queue, consumed in queues.items()},
        },
        "operations": {
            **{f"{event.producer}.send.{event.routing_key()}": _sending(event) for event in events},
            **{f"{queue}.receive": _receiving(queue, consumed) for queue, consumed in queues.items()},
        },
        "components": {
            "messages": {event.routing_key(): _message(event, samples) for event in events},
            "schemas": {"CloudEvent": _headers()},
        },
    }


def _server() -> Json:
    return {
        "host": "{host}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "description": "The RabbitMQ of your installation.",
        "variables": {"host": {"description": "Its host and port."}},
    }


def _event_channel(event: type[Event]) -> Json:
    exchange = {"name": exchange_name(event.producer), "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": event.routing_key(),
        "title": _title(event),
        "description": f"Published by {event.producer}. The address is the routing key.",
        "messages": _messages([event]),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **_BINDING}},
    }


def _queue_channel(queue: str, consumed: Sequence[type[Event]]) -> Json:
    settings = {"name": queue, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue,
        "title": queue,
        "description": f"The quorum queue of {_consumer(queue)}, bound to the events that it lists.",
        "messages": _messages(consumed),
        "bindings": {"amqp": {"is": "queue", "queue": settings, **_BINDING}},
    }


def _messages(events: Sequence[type[Event]]) -> Json:
    return {event.routing_key(): {"$ref": f"#/components/messages/{event.routing_key()}"} for event in events}


def _sending(event: type[Event]) -> Json:
    return {
        "action": "send",
        "summary": f"{event.producer} publishes {event.routing_key()}.",
        **_messages_at(event.routing_key(), [event]),
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, **_BINDING}},
    }


def _receiving(queue: str, consumed: Sequence[type[Event]]) -> Json:
    return {
        "action": "receive",
        "summary": f"{_consumer(queue)} consumes {', '.join(event.routing_key() for event in consumed)}.",
        **_messages_at(queue, consumed),
        "bindings": {"amqp": {"ack": True, **_BINDING}},
    }


def _messages_at(channel: str, events: Sequence[type[Event]]) -> Json:
    place = f"#/channels/{channel}"
    return {
        "channel": {"$ref": place},
        "messages": [{"$ref": f"{place}/messages/{event.routing_key()}"} for event in events],
    }


def _message(event: type[Event], samples: Mapping[str, Any]) -> Json:
    key = event.routing_key()
    schema = resolve_refs(schema_of(event))
    del schema["$id"], schema["$schema"]
    summary, *more = schema["description"].split("\n\n")
    return {
        "name": key,
        "title": _title(event),
        "summary": summary,
        **({"description": "\n\n".join(more)} if more else {}),
        "contentType": "application/json",
        "headers": _headers_of(event),
        "payload": {"schemaFormat": _DRAFT, "schema": schema},
        "bindings": {"amqp": {"messageType": event.event_type(), **_BINDING}},
        **({"examples": [{"name": "sample", "payload": samples[key]}]} if key in samples else {}),
    }


def _headers_of(event: type[Event]) -> Json:
    fixed = {"cloudEvents_source": f"/{event.producer}", "cloudEvents_type": event.event_type()}
    return {
        "allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {"type": "object", "properties": {name: {"const": value} for name, value in fixed.items()}},
        ]
    }


def _headers() -> Json:
    fields = {
        "cloudEvents_specversion": {"const": "1.0"},
        "cloudEvents_id": {"format": "uuid", "description": "Unique: an event delivered again has the same."},
        "cloudEvents_source": {"description": "The service that published it."},
        "cloudEvents_type": {"description": "The routing key with `gruppetto.` before it."},
        "cloudEvents_subject": {"description": "What it is about: the id of an activity, a person or a challenge."},
        "cloudEvents_time": {"format": "date-time", "description": "When it was written, not when it was sent."},
    }
    trace = {
        "traceparent": {"description": "W3C Trace Context of what caused it, if that was traced."},
        "tracestate": {"description": "Goes with traceparent."},
    }
    return {
        "type": "object",
        "description": "The headers of every event: CloudEvents 1.0, binary mode.",
        "required": sorted(fields),
        "properties": {name: {"type": "string", **field} for name, field in {**fields, **trace}.items()},
    }


def _title(event: type[Event]) -> str:
    return event.topic.replace(".", " ").capitalize()


def _consumer(queue: str) -> str:
    return queue.partition(".")[0]
