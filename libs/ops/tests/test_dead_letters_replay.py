"""Replaying and discarding dead letters on a real broker: one consumer hears it, and nothing is ever lost."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from dead_letter_helpers import (
    REASON,
    Gruppetto,
    has_dead_letters,
    listing,
    own_headers,
    put_dead_letters,
    put_raw_dead_letter,
    take_numbers,
)
from sqlalchemy.ext.asyncio import AsyncSession

from ops import dead_letters, dead_letters_cli
from ops.broker import open_connection
from shared.database.engine import Database
from shared.messaging.bus import Bus
from testkit.consumer_queue import ConsumerQueue, ThingNoted
from testkit.effects import add_effects, list_effects
from testkit.waiting import wait_until


async def test_a_replay_reaches_only_the_consumer_that_failed(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    other = f"{queue.name}.other"
    queue.extra.append(other)
    declared = await queue.channel.declare_queue(other, durable=True)
    await declared.bind(queue.exchange, routing_key="#")
    await put_dead_letters(queue, 1, 2)
    done = await gruppetto("dead-letters", "replay", queue.name, "--all")
    assert done.exit_code == 0
    assert f"{queue.name}: 2 dead letters replayed" in done.stdout
    assert await take_numbers(queue, queue.name) == [1, 2]
    assert await queue.count(other) == 0
    assert await queue.count(queue.dead_letters) == 0


async def test_a_replayed_message_is_the_one_that_died_without_the_notes_on_its_death(
    queue: ConsumerQueue, gruppetto: Gruppetto
) -> None:
    kept = {"cloudEvents_id": "m", "traceparent": "00-a-b-01", "odd": {"deep": [1, None]}}
    notes = {"x-reason": REASON, "x-replay": 1, "x-attempt": 3}
    await put_dead_letters(queue, 1, message_id="m", headers=kept | notes, type="t", content_type="application/json")
    done = await gruppetto("dead-letters", "replay", queue.name, "--id", "m", "--json")
    assert [(letter["id"], letter["replays"]) for letter in json.loads(done.stdout)] == [("m", 1)]
    message = await queue.take(queue.name)
    assert own_headers(message) == kept | {"x-replay": 2}
    assert (message.message_id, message.type, message.content_type) == ("m", "t", "application/json")
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.body == b'{"number": 1}'


async def test_only_the_chosen_letters_are_replayed_and_the_others_keep_their_order(
    queue: ConsumerQueue, gruppetto: Gruppetto
) -> None:
    for number in range(60):
        await put_dead_letters(queue, number, message_id=f"m{number}")
    done = await gruppetto("dead-letters", "replay", queue.name, "--id", "m7", "--id", "m40", "--id", "gone")
    assert done.exit_code == 1
    assert done.stderr == f"gruppetto: no dead letter 'gone' in {queue.name}\n"
    assert await take_numbers(queue, queue.name) == [7, 40]
    await wait_until(lambda: has_dead_letters(queue, 58))
    assert await take_numbers(queue, queue.dead_letters) == [number for number in range(60) if number not in (7, 40)]


async def test_a_poison_message_is_handled_once_its_consumer_can_and_only_once(
    queue: ConsumerQueue, gruppetto: Gruppetto, database: Database
) -> None:
    class Unheard(ThingNoted):
        topic = "thing.unheard"

    async def note(event: ThingNoted, session: AsyncSession) -> None:
        await add_effects(session, [event])

    async def consumed(kind: type[ThingNoted], condition: Any) -> None:
        bus = Bus(queue.url, "tests", database)
        bus.subscribe(queue.name, {kind: note})
        await bus.start()
        await wait_until(condition)
        await bus.stop()

    event_id = uuid4()
    await queue.put(5, message_id=event_id)
    await consumed(Unheard, lambda: has_dead_letters(queue, 1))
    [letter] = await listing(gruppetto)
    assert letter["id"] == str(event_id)
    assert letter["reason"] == "type gruppetto.thing.noted.v1 is not handled here"
    assert (letter["attempts"], letter["moved_by"]) == (1, "consumer")
    await gruppetto("dead-letters", "replay", queue.name, "--all")
    await queue.put(5, message_id=event_id)  # what an interrupted replay would leave
    await consumed(queue.event, lambda: has_effects(database, queue))
    assert await list_effects(database) == [5]


async def has_effects(database: Database, queue: ConsumerQueue) -> bool:
    return bool(await list_effects(database)) and await queue.count(queue.name) == 0


async def test_a_letter_that_dies_again_at_once_is_replayed_once(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    async def fail(message: AbstractIncomingMessage) -> None:
        await put_dead_letters(queue, json.loads(message.body)["number"], message_id=message.message_id)
        await message.ack()

    failing = await queue.channel.get_queue(queue.name)
    tag = await failing.consume(fail)
    await put_dead_letters(queue, *range(300))
    done = await gruppetto("dead-letters", "replay", queue.name, "--all", "--json")
    assert len(json.loads(done.stdout)) == 300
    await wait_until(lambda: has_dead_letters(queue, 300))
    await failing.cancel(tag)
    assert sorted(await take_numbers(queue, queue.dead_letters)) == list(range(300))


async def test_a_letter_stays_when_its_consumer_has_no_queue(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await put_dead_letters(queue, 1, 2, message_id="twice")
    await queue.channel.queue_delete(queue.name, if_unused=False, if_empty=False)
    done = await gruppetto("dead-letters", "replay", queue.name, "--all", "--json")
    assert done.exit_code == 1
    assert "does not take a message" in done.stderr
    assert done.stdout == ""
    await wait_until(lambda: has_dead_letters(queue, 2))


async def test_letters_with_one_id_go_together(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await put_dead_letters(queue, 1, 2, 3, message_id="same")
    assert [letter["id"] for letter in await listing(gruppetto)] == ["same"] * 3
    shown = json.loads((await gruppetto("dead-letters", "show", "same", "--json")).stdout)
    assert [letter["body"]["number"] for letter in shown] == [1, 2, 3]
    await gruppetto("dead-letters", "replay", queue.name, "--id", "same")
    assert await take_numbers(queue, queue.name) == [1, 2, 3]
    await put_dead_letters(queue, 4, 5, message_id="same")
    done = await gruppetto("dead-letters", "discard", queue.name, "--id", "same", "--yes")
    assert f"{queue.name}: 2 dead letters discarded" in done.stdout
    assert await queue.count(queue.dead_letters) == 0


async def test_a_message_without_an_id_can_be_named_and_is_replayed_under_that_name(
    queue: ConsumerQueue, gruppetto: Gruppetto, management_url: str
) -> None:
    for body in (b"one", b"two"):
        await put_raw_dead_letter(queue, management_url, body, {"headers": {"k": 1}})
    one, two = await listing(gruppetto)
    assert one["message_id"] is None
    assert UUID(one["id"]) != UUID(two["id"])
    await gruppetto("dead-letters", "replay", queue.name, "--id", two["id"])
    message = await queue.take(queue.name)
    assert (message.body, message.message_id) == (b"two", two["id"])


async def test_content_that_is_no_text_is_shown_and_replayed_as_it_is(
    queue: ConsumerQueue, gruppetto: Gruppetto, management_url: str
) -> None:
    await put_raw_dead_letter(queue, management_url, b"\xff\xfe", {"delivery_mode": 1, "message_id": "odd"})
    [letter] = json.loads((await gruppetto("dead-letters", "show", "odd", "--json")).stdout)
    assert (letter["body"], letter["body_encoding"]) == ("//4=", "base64")
    assert "//4=" in (await gruppetto("dead-letters", "show", "odd")).stdout
    assert (await gruppetto("dead-letters", "replay", queue.name, "--all")).exit_code == 0
    message = await queue.take(queue.name)
    assert (message.body, message.delivery_mode) == (b"\xff\xfe", aio_pika.DeliveryMode.PERSISTENT)


async def test_a_discard_asks_and_removes_only_what_was_shown(
    queue: ConsumerQueue, gruppetto: Gruppetto, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_dead_letters(queue, *range(40))
    done = await gruppetto("dead-letters", "discard", queue.name, "--all", answer="n\n")
    assert done.exit_code == 1
    assert "Discard 40 dead letters" in done.output
    await wait_until(lambda: has_dead_letters(queue, 40))
    loop = asyncio.get_running_loop()

    def confirm(*_: object, **__: object) -> bool:
        asyncio.run_coroutine_threadsafe(put_dead_letters(queue, 99), loop).result()
        return True

    monkeypatch.setattr(dead_letters_cli.typer, "confirm", confirm)
    done = await gruppetto("dead-letters", "discard", queue.name, "--all", "--json")
    assert len(json.loads(done.stdout)) == 40
    await wait_until(lambda: has_dead_letters(queue, 1))
    assert await take_numbers(queue, queue.dead_letters) == [99]


async def test_what_was_removed_does_not_come_back(queue: ConsumerQueue, rabbitmq_url: str) -> None:
    # RabbitMQ forgets acknowledgements that it held back when their channel ends.
    await asyncio.gather(*(put_dead_letters(queue, number) for number in range(500)))
    async with open_connection(rabbitmq_url, "tests") as connection:
        async with dead_letters.browse(connection, queue.name) as browsing:
            for leased in [leased async for leased in browsing]:
                await leased.remove()
        assert (await dead_letters.list_dead_letters(connection, queue.name)).total == 0


@pytest.mark.parametrize("verb", ["replay", "discard"])
async def test_there_may_be_nothing_to_do(queue: ConsumerQueue, gruppetto: Gruppetto, verb: str) -> None:
    done = await gruppetto("dead-letters", verb, queue.name, "--all")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{queue.name}: 0 dead letters {verb}" in done.stdout
