"""SIGTERM under load: what is in hand is finished, the rest is left as it was."""

import time

import pytest
from ledger import until
from scene import Scene
from weather import TIMEOUT_S

pytestmark = pytest.mark.timeout(TIMEOUT_S)

BACKLOG = 300
ENDS_WITHIN_S = 20.0


async def test_a_service_that_is_told_to_end_leaves_its_queue_untouched_and_in_order(scene: Scene) -> None:
    await scene.crew.start("service", work_s=0.03, batch=20)  # slower than the producer in it

    async def behind() -> bool:
        return await scene.ready() >= BACKLOG and (await scene.ledger.counts()).effects > 0

    await until(behind, "a backlog")
    began = time.monotonic()
    await scene.crew.end("service")
    assert time.monotonic() - began < ENDS_WITHIN_S
    assert scene.crew.badly_ended == {}

    left = await scene.peek(scene.queue)
    counts, waiting = await scene.ledger.counts(), await scene.ledger.waiting()
    assert counts.effects + len(left) + waiting == counts.committed, "all that was done was acknowledged"
    assert {message.headers.get("x-delivery-count", 0) for message in left} == {0}
    numbers = [int(str(message.headers["cloudEvents_subject"])) for message in left]
    assert numbers == sorted(numbers)

    await scene.crew.start("service", rate=0)
    await scene.effects(counts.committed)
    await scene.expect_everything_once()
