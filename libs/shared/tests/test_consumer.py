"""The batcher, without a broker."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from rig import Noted

from shared.consumer import Batcher, Delivery, InvalidMessage, parse


def delivery(number: int = 1) -> Delivery:
    return Delivery(uuid4(), Noted(number=number))


async def test_concurrent_callers_share_a_batch_and_each_gets_its_own_outcome() -> None:
    sizes = []

    async def process(batch: Sequence[Delivery]) -> list[Exception | None]:
        sizes.append(len(batch))
        return [ValueError(one.event.subject) if one.event.subject == "2" else None for one in batch]

    batcher = Batcher(process, size=3, wait_s=5)
    outcomes = await asyncio.gather(*(batcher.submit(delivery(number)) for number in range(6)))
    assert [str(outcome) for outcome in outcomes] == ["None", "None", "2", "None", "None", "None"]
    assert sizes == [3, 3]


async def test_a_lone_message_waits_no_longer_than_it_must() -> None:
    async def process(batch: Sequence[Delivery]) -> list[Exception | None]:
        return [None] * len(batch)

    async with asyncio.timeout(5):
        assert await Batcher(process, size=100, wait_s=0.01).submit(delivery()) is None


async def test_nobody_waits_for_ever_when_the_worker_is_cancelled() -> None:
    at_work = asyncio.Event()

    async def process(_batch: Sequence[Delivery]) -> list[Exception | None]:
        at_work.set()
        await asyncio.Event().wait()
        return []

    batcher = Batcher(process, size=1, wait_s=0)
    callers = [asyncio.create_task(batcher.submit(delivery())) for _ in range(2)]  # one at work, one behind it
    await at_work.wait()
    await batcher.stop()
    async with asyncio.timeout(5):
        await asyncio.wait(callers)
    assert all(caller.cancelled() for caller in callers)


async def test_what_nobody_waits_for_any_more_is_left_out() -> None:
    seen: list[str] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    async def process(batch: Sequence[Delivery]) -> list[Exception | None]:
        seen.extend(one.event.subject for one in batch)
        begun.set()
        await gate.wait()
        return [None] * len(batch)

    batcher = Batcher(process, size=1, wait_s=0)
    first, second, third = (asyncio.create_task(batcher.submit(delivery(number))) for number in (1, 2, 3))
    await begun.wait()
    second.cancel()
    gate.set()
    await asyncio.gather(first, third)
    assert seen == ["1", "3"]
    with pytest.raises(asyncio.CancelledError):
        await second


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
