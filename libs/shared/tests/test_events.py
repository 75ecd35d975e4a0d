"""The contracts: every event has a stored sample, which the code of today still reads."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.contracts.events import EVENTS, Event, UserAuthorized

SAMPLES = Path(__file__).parents[3] / "docs/events"


def sample_of(event: type[Event]) -> Path:
    return SAMPLES / f"{event.routing_key()}.json"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.routing_key())
def test_the_stored_sample_of_every_event_is_read_and_written_unchanged(event: type[Event]) -> None:
    stored = json.loads(sample_of(event).read_text(encoding="utf-8"))
    read = event.model_validate_json(json.dumps(stored))
    assert json.loads(read.model_dump_json()) == stored
    assert read.subject
    assert stored.keys() == event.model_fields.keys(), "a sample shows every field"


def test_there_is_no_sample_of_an_event_that_does_not_exist() -> None:
    assert {path.name for path in SAMPLES.glob("*.v[0-9].json")} == {sample_of(event).name for event in EVENTS}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.routing_key())
def test_no_event_carries_a_secret_or_an_address(event: type[Event]) -> None:
    smelly = [name for name in event.model_fields if re.search(r"token|secret|passw|e_?mail|key|cookie", name)]
    assert not smelly


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.routing_key())
def test_topics_are_dotted_words_without_ids_and_unique(event: type[Event]) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+\.v[1-9]", event.routing_key())
    assert [other.routing_key() for other in EVENTS].count(event.routing_key()) == 1


def test_a_field_that_a_newer_producer_added_is_ignored() -> None:
    stored = json.loads(sample_of(UserAuthorized).read_text(encoding="utf-8"))
    assert UserAuthorized.model_validate(stored | {"added_later": 1}) == UserAuthorized.model_validate(stored)


def test_the_error_of_a_broken_contract_does_not_repeat_the_input() -> None:
    with pytest.raises(ValidationError) as caught:
        UserAuthorized.model_validate({"user_id": "canary"})
    assert "canary" not in str(caught.value)
