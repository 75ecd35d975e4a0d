"""Reading messages, without a broker."""

from types import SimpleNamespace
from typing import Any

import pytest
from rig import Noted

from shared.consumer import InvalidMessage, parse


@pytest.mark.parametrize("message_id", [None, "", "17"])
def test_a_message_without_a_usable_id_is_invalid_because_it_could_not_be_known_again(message_id: str | None) -> None:
    message: Any = SimpleNamespace(
        headers={}, type=Noted.event_type(), message_id=message_id, body=b'{"number": 1, "note": "canary"}'
    )
    with pytest.raises(InvalidMessage, match="no usable message id") as caught:
        parse(message, {Noted: unheard})
    assert "canary" not in str(caught.value)


async def unheard(_event: Noted, _session: object) -> None:
    """A handler."""
