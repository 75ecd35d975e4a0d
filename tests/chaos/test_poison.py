"""A message that cannot be handled harms nobody, and is never lost."""

from uuid import uuid4

import pytest
from ledger import until
from scene import SHORT_STEPS, Scene
from storm import Numbered
from weather import TIMEOUT_S

from shared.contracts.queues import RETRY_STEPS

pytestmark = pytest.mark.timeout(TIMEOUT_S)

NONSENSE = b'{"number": "many"}'


async def test_poison_amid_a_batch_is_set_aside_alone_and_with_its_reason(scene: Scene) -> None:
    good = await scene.commit(*range(100), told=False)
    spoiling = scene.kinds["batched"](number=-1)
    together: list[Numbered | bytes] = [*good[:30], NONSENSE, *good[30:60], spoiling, *good[60:]]
    await scene.put_all([(event, uuid4()) for event in together])
    await scene.crew.start("consumer")
    await scene.expect_everything_once(letters=1, retries=1)
    [letter] = await scene.peek(scene.letters)
    assert letter.body == NONSENSE
    assert "breaks its contract: number (int_parsing)" in str(letter.headers["x-reason"])
    [waiting] = await scene.peek(scene.retries[0])
    assert waiting.body == spoiling.model_dump_json().encode()
    assert waiting.headers["x-attempt"] == 1


async def test_what_fails_every_time_ends_in_the_dead_letters_while_others_flow(scene: Scene) -> None:
    await scene.declare(SHORT_STEPS)
    await scene.put(scene.kinds["batched"](number=-1))
    await scene.crew.start("consumer")
    await scene.put_all([(event, uuid4()) for event in await scene.commit(*range(100), told=False)])
    await until(lambda: scene.ready(scene.letters), "a dead letter")
    await scene.expect_everything_once(letters=1)
    [letter] = await scene.peek(scene.letters)
    assert letter.headers["x-reason"] == f"DBAPIError after {len(RETRY_STEPS) + 1} attempts"


async def test_poison_waits_while_its_dead_letter_queue_is_missing(scene: Scene) -> None:
    async with scene.channel() as channel:
        await channel.queue_delete(scene.letters, if_unused=False, if_empty=False)
    await scene.put(NONSENSE)
    consumer = await scene.crew.start("consumer")
    await scene.put_all([(event, uuid4()) for event in await scene.commit(*range(50), told=False)])
    await scene.effects(50)
    assert await scene.ready() == 0  # in hand, not given back again and again
    await scene.crew.replace(consumer)
    await scene.put_all([(event, uuid4()) for event in await scene.commit(*range(50, 100), told=False)])
    await scene.effects(100)
    await scene.declare()
    await until(lambda: scene.ready(scene.letters), "the dead letter")
    await scene.expect_everything_once(letters=1)
