"""The schemas of the events, and the samples held to them."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from ops.contracts import is_schema, resolve_refs, schema_of, validation_errors
from shared.contracts.events import EVENTS, ActivityFetched, ActivityRecorded, Event

FOLDER = Path(__file__).parents[3] / "docs/events"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.routing_key())
def test_the_schema_of_every_event_is_one_and_the_sample_follows_it(event: type[Event]) -> None:
    schema = schema_of(event)
    sample = json.loads((FOLDER / f"{event.routing_key()}.json").read_text(encoding="utf-8"))
    assert is_schema(schema)
    assert schema["$id"] == f"urn:gruppetto:{event.routing_key()}"
    assert schema["description"]
    assert validation_errors(sample, schema) == []
    assert validation_errors(sample | {"added_later": 1}, schema) == [], "consumers ignore what they do not know"


def test_a_sample_is_held_to_the_formats_too() -> None:
    sample = json.loads((FOLDER / "activity.recorded.v1.json").read_text(encoding="utf-8"))
    spoiled = sample | {"user_id": "me", "start_at": "2026-10-04T16:05:00", "local_start": "2026-10-04T18:05:00Z"}
    assert sorted(fault.split(":")[0] for fault in validation_errors(spoiled, schema_of(ActivityRecorded))) == [
        "$.local_start",
        "$.start_at",
        "$.user_id",
    ]


def test_what_the_producer_writes_follows_the_schema_with_and_without_fractions_of_a_second() -> None:
    sample = json.loads((FOLDER / "activity.recorded.v1.json").read_text(encoding="utf-8"))
    for local_start in ("2026-10-04T18:05:00", "2026-10-04T18:05:00.250000"):
        event = ActivityRecorded.model_validate(sample | {"local_start": local_start})
        assert validation_errors(json.loads(event.model_dump_json()), schema_of(ActivityRecorded)) == []


def test_a_schema_tells_the_units_that_the_code_tells() -> None:
    fields = schema_of(ActivityFetched)["$defs"]["FetchedActivity"]["properties"]
    assert fields["distance"]["description"] == "metres"
    assert fields["utc_offset"]["description"] == "seconds"
    assert "description" not in fields["id"]


def test_the_lines_of_a_docstring_are_joined_and_its_paragraphs_are_not() -> None:
    description = schema_of(ActivityFetched)["description"]
    assert "with every fetch, of whomever" in description
    assert description.count("\n") == 2


class Place(BaseModel):
    name: str


class Moved(Event):
    """It moved."""

    topic = "challenge.moved"
    producer = "leaderboard"

    place: Place


def test_an_event_in_parts_is_written_out_in_one_piece() -> None:
    whole = resolve_refs(schema_of(Moved))
    assert "$defs" not in whole
    assert whole["properties"]["place"]["properties"] == {"name": {"type": "string"}}
