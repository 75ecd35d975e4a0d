"""Reading messages, without a broker."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pamqp import encode

from shared.messaging.decoding import InvalidMessage, decode_delivery
from shared.messaging.properties import writable_headers
from testkit.consumer_queue import ThingNoted

#: What the driver makes of the headers that anyone may send.
READ = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("message_id", [None, "", "17"])
def test_a_message_without_a_usable_id_is_invalid_because_it_could_not_be_known_again(message_id: str | None) -> None:
    message: Any = SimpleNamespace(
        headers={}, type=ThingNoted.event_type(), message_id=message_id, body=b'{"number": 1, "note": "canary"}'
    )
    with pytest.raises(InvalidMessage, match="no usable message id") as caught:
        decode_delivery(message, {ThingNoted: unheard})
    assert "canary" not in str(caught.value)


@given(READ)
@example(1e300)
@example({"deep": [float("-inf"), -3.4028235677973366e38]})
def test_every_header_that_can_be_read_can_be_sent_on(value: Any) -> None:
    encode.field_table(writable_headers({"header": value}))


async def unheard(_event: ThingNoted, _session: object) -> None:
    """A handler."""
