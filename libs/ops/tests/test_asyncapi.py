"""The AsyncAPI document; that the official parser accepts it is a gate of `make lint`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from ops.asyncapi import document
from ops.contracts import schema_of
from shared.contracts.events import EVENTS, Event
from shared.contracts.queues import QUEUES
from shared.messaging.outbox import emit

FOLDER = Path(__file__).parents[3] / "docs/events"
SAMPLES = {
    event.routing_key(): json.loads((FOLDER / f"{event.routing_key()}.json").read_text(encoding="utf-8"))
    for event in EVENTS
}
DOCUMENT = document(EVENTS, QUEUES, SAMPLES, "1.2.3")

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.routing_key())


def message(event: type[Event]) -> dict[str, Any]:
    return DOCUMENT["components"]["messages"][event.routing_key()]


@every_event
def test_every_event_has_a_channel_at_the_exchange_of_its_producer(event: type[Event]) -> None:
    channel = DOCUMENT["channels"][event.routing_key()]
    assert channel["address"] == event.routing_key()
    assert channel["bindings"]["amqp"]["is"] == "routingKey"
    assert channel["bindings"]["amqp"]["exchange"]["name"] == f"ev.{event.producer}"


@every_event
def test_every_event_is_sent_by_its_producer(event: type[Event]) -> None:
    operation = DOCUMENT["operations"][f"{event.producer}.send.{event.routing_key()}"]
    assert operation["action"] == "send"
    assert operation["channel"] == {"$ref": f"#/channels/{event.routing_key()}"}


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_receives_what_it_hears(queue: str) -> None:
    operation = DOCUMENT["operations"][f"{queue}.receive"]
    heard = [reference["$ref"].rpartition("/")[2] for reference in operation["messages"]]
    assert operation["action"] == "receive"
    assert operation["channel"] == {"$ref": f"#/channels/{queue}"}
    assert heard == [event.routing_key() for event in QUEUES[queue]]
    assert DOCUMENT["channels"][queue]["bindings"]["amqp"]["queue"]["name"] == queue


@every_event
def test_a_message_carries_the_published_schema_in_the_older_draft(event: type[Event]) -> None:
    payload = message(event)["payload"]
    assert payload["schemaFormat"] == "application/schema+json;version=draft-07"
    assert payload["schema"]["required"] == schema_of(event)["required"]
    Draft7Validator.check_schema(payload["schema"])
    assert Draft7Validator(payload["schema"]).is_valid(message(event)["examples"][0]["payload"])
    assert not {"$id", "$schema", "$defs", "prefixItems"} & {*_keys(payload)}, "they mean something else here"


class Transaction:
    """A session that keeps what is written."""

    def __init__(self) -> None:
        self.info: dict[str, object] = {}
        self.rows: list[dict[str, Any]] = []

    async def execute(self, _: object, columns: dict[str, list[Any]]) -> None:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            self.rows.append(row | {"headers": json.loads(row["headers"])})


@every_event
async def test_the_headers_are_those_that_the_outbox_writes(event: type[Event]) -> None:
    transaction = Transaction()
    await emit(transaction, event.model_validate(SAMPLES[event.routing_key()]))  # type: ignore[arg-type]
    common, own = message(event)["headers"]["allOf"]
    described = DOCUMENT["components"]["schemas"]["CloudEvent"]
    (row,) = transaction.rows
    assert common == {"$ref": "#/components/schemas/CloudEvent"}
    assert Draft7Validator(described).is_valid(row["headers"])
    assert Draft7Validator(own).is_valid(row["headers"])
    assert row["headers"].keys() - described["properties"].keys() == set()
    assert set(described["required"]) <= row["headers"].keys()
    assert message(event)["bindings"]["amqp"]["messageType"] == row["headers"]["cloudEvents_type"]
    assert DOCUMENT["channels"][row["routing_key"]]["bindings"]["amqp"]["exchange"]["name"] == row["exchange"]


def test_every_reference_leads_somewhere() -> None:
    references = [value for key, value in _pairs(DOCUMENT) if key == "$ref"]
    assert references
    for reference in references:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_no_host_is_named() -> None:
    assert "://" not in json.dumps(DOCUMENT)
    assert DOCUMENT["servers"]["broker"]["host"] == "{host}"


def test_the_version_is_the_one_given() -> None:
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_an_event_without_a_sample_has_no_example() -> None:
    bare = document(EVENTS, QUEUES, {}, "1")
    assert "examples" not in bare["components"]["messages"][EVENTS[0].routing_key()]


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _pairs(inner)


def _keys(node: Any) -> Iterator[str]:
    return (key for key, _ in _pairs(node))
