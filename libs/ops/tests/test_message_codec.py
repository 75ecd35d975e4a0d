"""What a raw message says, however odd it is."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.encode import field_table
from pamqp.header import ContentHeader

from ops import message_codec
from ops.dead_letters import parse_dead_letter

MOMENT = datetime(2026, 9, 30, 10, tzinfo=UTC)


def raw(body: bytes = b"{}", headers: Any = None, **properties: Any) -> DeliveredMessage:
    header = ContentHeader(properties=Basic.Properties(headers=headers, **properties))
    return DeliveredMessage(Basic.Deliver("tag", 1, False, "ev.x", "key"), header, body, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (raw(headers={"cloudEvents_type": "a"}, message_type="b"), "a"),
        (raw(headers={"cloudEvents:type": "a"}), "a"),
        (raw(message_type="b"), "b"),
        (raw(headers={"cloudEvents_type": ["odd"]}), '["odd"]'),
        (raw(), ""),
    ],
)
def test_the_type_is_the_attribute_or_else_the_property(message: DeliveredMessage, kind: str) -> None:
    assert message_codec.event_type(message) == kind


@pytest.mark.parametrize("wanted", ["activity.recorded", "activity.recorded.v1", "gruppetto.activity.recorded.v1"])
def test_a_type_is_named_with_or_without_prefix_and_version(wanted: str) -> None:
    assert message_codec.is_of_type("gruppetto.activity.recorded.v1", wanted)
    assert not message_codec.is_of_type("gruppetto.activity.recorded.v2", "activity.recorded.v1")
    assert not message_codec.is_of_type("gruppetto.activity.removed.v1", wanted)


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("2026-09-30T10:00:00+00:00", MOMENT),
        ("2026-09-30T10:00:00", MOMENT),
        (MOMENT, MOMENT),
        ("yesterday", datetime(2020, 1, 1, tzinfo=UTC)),
        (None, datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_time_is_the_attribute_or_else_the_property(told: Any, time: datetime) -> None:
    assert (
        message_codec.occurred_at(raw(headers={"cloudEvents_time": told}, timestamp=datetime(2020, 1, 1, tzinfo=UTC)))
        == time
    )


def test_a_message_without_an_id_has_one_that_only_what_it_says_makes() -> None:
    first = message_codec.message_id(raw(b"a", {"k": [b"\xff"], "x-delivery-count": 1}))
    assert first == message_codec.message_id(raw(b"a", {"k": [b"\xff"], "x-delivery-count": 9}))
    others = [raw(b"b", {"k": [b"\xff"]}), raw(b"a", {"k": [b"\xfe"]}), raw(b"a", {"k": [b"\xff"]}, message_type="t")]
    assert len({first, *map(message_codec.message_id, others)}) == 4


def test_a_copy_for_one_more_try_is_the_same_message_without_the_notes_on_its_failures() -> None:
    noted = {"x-reason": "r", "x-attempt": 3, "x-death": [{}], "x-delivery-count": 7, "x-replay": 1}
    kept = {"cloudEvents_type": "t", "traceparent": "00-a-b-01"}
    copy = message_codec.copy_for_replay(
        raw(b"body", kept | noted, message_id="m", message_type="t", correlation_id="c")
    )
    assert copy.headers == kept | {"x-replay": 2}
    assert (copy.body, copy.message_id, copy.type, copy.correlation_id) == (b"body", "m", "t", "c")
    assert copy.delivery_mode == 2


def test_a_copy_can_be_sent_whatever_its_headers_are() -> None:
    odd = {"bytes": b"\xff", "deep": {"list": [b"\xfe", {"n": None}]}, "when": MOMENT, "much": 2**40, "part": 1.5}
    assert field_table(message_codec.copy_for_replay(raw(headers=odd)).headers)


@pytest.mark.parametrize("count", [True, -1, "7", None, [], 1.5])
def test_a_replay_header_that_counts_nothing_is_no_replay(count: Any) -> None:
    assert message_codec.copy_for_replay(raw(headers={"x-replay": count})).headers["x-replay"] == (1)


@pytest.mark.parametrize(
    ("body", "shown", "encoding"),
    [
        (b'{"name": "\xc5\xbbaneta"}', {"name": "Żaneta"}, "json"),
        (b"plain words", "plain words", "text"),
        (b"", "", "text"),
        (b"\xff\x00", "/wA=", "base64"),
        (b"[NaN]", "[NaN]", "text"),
        (b"[1e999]", "[1e999]", "text"),
        (b"[" * 100_000, "[" * 100_000, "text"),
        (b"9" * 5_000, "9" * 5_000, "text"),
    ],
)
def test_a_body_is_json_or_else_text_or_else_base64(body: bytes, shown: Any, encoding: str) -> None:
    assert message_codec.decode_body(raw(body)) == (shown, encoding)
    assert json.loads(message_codec.as_json(shown)) == shown


def test_what_is_written_holds_no_command_to_a_terminal() -> None:
    evil = "\x1b[31m\x07\x9b\u202e\ud800\U000e0001 Żółw\n"
    for line in (message_codec.as_json({evil: evil}), message_codec.escape_control(evil)):
        assert line.isprintable()
        assert "Żółw" in line
    assert json.loads(message_codec.as_json(evil)) == evil


def test_headers_of_every_kind_become_json() -> None:
    odd = {
        "d": Decimal("1.5"),
        "t": MOMENT,
        "u": bytearray(b"text"),
        "b": b"\xff",
        "n": float("nan"),
        "l": [None, True],
    }
    assert message_codec.to_json_value(odd) == {
        "d": "1.5",
        "t": "2026-09-30T10:00:00+00:00",
        "u": "text",
        "b": {"base64": "/w=="},
        "n": "nan",
        "l": [None, True],
    }


DEATH = {"queue": "q", "reason": "delivery_limit", "time": MOMENT, "count": 1}
RETRY = {"queue": "q.retry.10s", "reason": "expired", "time": MOMENT}


@pytest.mark.parametrize(
    ("headers", "reason", "moved_by", "attempts", "died_at"),
    [
        ({"x-reason": "ValueError after 4 attempts"}, "ValueError after 4 attempts", "consumer", 4, None),
        ({"x-reason": "t is not handled here"}, "t is not handled here", "consumer", 1, None),
        ({"x-death": [DEATH]}, "broker: delivery_limit", "broker", None, MOMENT),
        (
            {"x-death": [DEATH, RETRY], "x-reason": "KeyError", "x-attempt": 2},
            "broker: delivery_limit, last error: KeyError",
            "broker",
            3,
            MOMENT,
        ),
        ({"x-death": [RETRY], "x-reason": "KeyError"}, "KeyError", "consumer", 1, None),
        (
            {"x-death": ["odd", {"queue": "q", "time": "odd"}], "x-reason": 7},
            "broker: , last error: 7",
            "broker",
            None,
            None,
        ),
        ({}, "", None, None, None),
        ({"x-death": "odd", "x-attempt": "odd"}, "", None, 1, None),
    ],
)
def test_a_letter_tells_why_it_died_as_far_as_it_is_known(
    headers: Any, reason: str, moved_by: str | None, attempts: int | None, died_at: datetime | None
) -> None:
    letter = parse_dead_letter("q", raw(headers=headers))
    assert (letter.reason, letter.moved_by, letter.attempts, letter.died_at) == (reason, moved_by, attempts, died_at)
