"""When the broker takes nothing more, everything waits where it is safe, and consumers work on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ledger import until
from scene import Scene
from weather import TIMEOUT_S

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@asynccontextmanager
async def memory_alarm(scene: Scene) -> AsyncIterator[None]:
    await scene.battered.alarm(on=True)
    try:
        yield
    finally:
        await scene.battered.alarm(on=False)


@asynccontextmanager
async def at_most(scene: Scene, length: int) -> AsyncIterator[None]:
    """A limit that an operator set on the queue, above ours."""
    policy = {
        "pattern": f"^{scene.queue}$",
        "apply-to": "queues",
        "priority": 20,
        "definition": {"max-length": length, "overflow": "reject-publish"},
    }
    async with scene.battered.management() as client:
        (await client.put(f"/api/policies/%2f/{scene.queue}.full", json=policy)).raise_for_status()
        try:
            yield
        finally:
            await client.delete(f"/api/policies/%2f/{scene.queue}.full")


async def test_under_a_memory_alarm_publishing_waits_and_consumers_drain_what_is_there(scene: Scene) -> None:
    await scene.crew.start("relay")
    await scene.put(b"not understood")  # its letter cannot be published either, and holds up nobody
    await scene.commit(*range(500))
    await until(scene.outbox_is_empty, "the queue is filled")
    async with memory_alarm(scene):
        await scene.commit(*range(500, 800))
        await scene.crew.start("consumer")
        await scene.effects(500)
        waiting, counts = await scene.ledger.waiting(), await scene.ledger.counts()
        assert waiting > 0
        assert counts.effects < 800
    await scene.expect_everything_once(letters=1)


async def test_what_a_full_queue_refuses_waits_in_the_outbox(scene: Scene) -> None:
    async with at_most(scene, 100):
        await scene.crew.start("relay")
        await scene.commit(*range(300))
        await until(scene.ledger.troubles, "events are refused")
        assert 100 <= await scene.ready() < 300
        await scene.crew.start("consumer")
        await scene.expect_everything_once()
