"""Replaying and discarding dead letters on a real broker: one consumer hears it, and nothing is ever lost."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from desk import REASON, Gruppetto, bury, bury_raw, have, listed, numbers, without_notes
from rig import Broker, Noted, effects, until, write
from sqlalchemy.ext.asyncio import AsyncSession

from ops import letters, letters_cli
from ops.broker import connected
from shared.database.engine import Database
from shared.messaging.bus import Bus


async def test_a_replay_reaches_only_the_consumer_that_failed(broker: Broker, gruppetto: Gruppetto) -> None:
    other = f"{broker.queue}.other"
    broker.extra.append(other)
    queue = await broker.channel.declare_queue(other, durable=True)
    await queue.bind(broker.exchange, routing_key="#")
    await bury(broker, 1, 2)
    done = await gruppetto("letters", "replay", broker.queue, "--all")
    assert done.exit_code == 0
    assert f"{broker.queue}: 2 dead letters replayed" in done.stdout
    assert await numbers(broker, broker.queue) == [1, 2]
    assert await broker.count(other) == 0
    assert await broker.count(broker.letters) == 0


async def test_a_replayed_message_is_the_one_that_died_without_the_notes_on_its_death(
    broker: Broker, gruppetto: Gruppetto
) -> None:
    kept = {"cloudEvents_id": "m", "traceparent": "00-a-b-01", "odd": {"deep": [1, None]}}
    notes = {"x-reason": REASON, "x-replay": 1, "x-attempt": 3}
    await bury(broker, 1, message_id="m", headers=kept | notes, type="t", content_type="application/json")
    done = await gruppetto("letters", "replay", broker.queue, "--id", "m", "--json")
    assert [(letter["id"], letter["replays"]) for letter in json.loads(done.stdout)] == [("m", 1)]
    message = await broker.take(broker.queue)
    assert without_notes(message) == kept | {"x-replay": 2}
    assert (message.message_id, message.type, message.content_type) == ("m", "t", "application/json")
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.body == b'{"number": 1}'


async def test_only_the_chosen_letters_are_replayed_and_the_others_keep_their_order(
    broker: Broker, gruppetto: Gruppetto
) -> None:
    for number in range(60):
        await bury(broker, number, message_id=f"m{number}")
    done = await gruppetto("letters", "replay", broker.queue, "--id", "m7", "--id", "m40", "--id", "gone")
    assert done.exit_code == 1
    assert done.stderr == f"gruppetto: no dead letter 'gone' in {broker.queue}\n"
    assert await numbers(broker, broker.queue) == [7, 40]
    await until(lambda: have(broker, 58))
    assert await numbers(broker, broker.letters) == [number for number in range(60) if number not in (7, 40)]


async def test_a_poison_message_is_handled_once_its_consumer_can_and_only_once(
    broker: Broker, gruppetto: Gruppetto, database: Database
) -> None:
    class Unheard(Noted):
        topic = "thing.unheard"

    async def note(event: Noted, session: AsyncSession) -> None:
        await write(session, [event])

    async def consumed(kind: type[Noted], condition: Any) -> None:
        bus = Bus(broker.url, "tests", database)
        bus.subscribe(broker.queue, {kind: note})
        await bus.start()
        await until(condition)
        await bus.stop()

    event_id = uuid4()
    await broker.put(5, message_id=event_id)
    await consumed(Unheard, lambda: have(broker, 1))
    [letter] = await listed(gruppetto)
    assert letter["id"] == str(event_id)
    assert letter["reason"] == "type gruppetto.thing.noted.v1 is not handled here"
    assert (letter["attempts"], letter["moved_by"]) == (1, "consumer")
    await gruppetto("letters", "replay", broker.queue, "--all")
    await broker.put(5, message_id=event_id)  # what an interrupted replay would leave
    await consumed(broker.event, lambda: has_effects(database, broker))
    assert await effects(database) == [5]


async def has_effects(database: Database, broker: Broker) -> bool:
    return bool(await effects(database)) and await broker.count(broker.queue) == 0


async def test_a_letter_that_dies_again_at_once_is_replayed_once(broker: Broker, gruppetto: Gruppetto) -> None:
    async def fail(message: AbstractIncomingMessage) -> None:
        await bury(broker, json.loads(message.body)["number"], message_id=message.message_id)
        await message.ack()

    failing = await broker.channel.get_queue(broker.queue)
    tag = await failing.consume(fail)
    await bury(broker, *range(300))
    done = await gruppetto("letters", "replay", broker.queue, "--all", "--json")
    assert len(json.loads(done.stdout)) == 300
    await until(lambda: have(broker, 300))
    await failing.cancel(tag)
    assert sorted(await numbers(broker, broker.letters)) == list(range(300))


async def test_a_letter_stays_when_its_consumer_has_no_queue(broker: Broker, gruppetto: Gruppetto) -> None:
    await bury(broker, 1, 2, message_id="twice")
    await broker.channel.queue_delete(broker.queue, if_unused=False, if_empty=False)
    done = await gruppetto("letters", "replay", broker.queue, "--all", "--json")
    assert done.exit_code == 1
    assert "does not take a message" in done.stderr
    assert done.stdout == ""
    await until(lambda: have(broker, 2))


async def test_letters_with_one_id_go_together(broker: Broker, gruppetto: Gruppetto) -> None:
    await bury(broker, 1, 2, 3, message_id="same")
    assert [letter["id"] for letter in await listed(gruppetto)] == ["same"] * 3
    shown = json.loads((await gruppetto("letters", "show", "same", "--json")).stdout)
    assert [letter["body"]["number"] for letter in shown] == [1, 2, 3]
    await gruppetto("letters", "replay", broker.queue, "--id", "same")
    assert await numbers(broker, broker.queue) == [1, 2, 3]
    await bury(broker, 4, 5, message_id="same")
    done = await gruppetto("letters", "discard", broker.queue, "--id", "same", "--yes")
    assert f"{broker.queue}: 2 dead letters discarded" in done.stdout
    assert await broker.count(broker.letters) == 0


async def test_a_message_without_an_id_can_be_named_and_is_replayed_under_that_name(
    broker: Broker, gruppetto: Gruppetto, management_url: str
) -> None:
    for body in (b"one", b"two"):
        await bury_raw(broker, management_url, body, {"headers": {"k": 1}})
    one, two = await listed(gruppetto)
    assert one["message_id"] is None
    assert UUID(one["id"]) != UUID(two["id"])
    await gruppetto("letters", "replay", broker.queue, "--id", two["id"])
    message = await broker.take(broker.queue)
    assert (message.body, message.message_id) == (b"two", two["id"])


async def test_content_that_is_no_text_is_shown_and_replayed_as_it_is(
    broker: Broker, gruppetto: Gruppetto, management_url: str
) -> None:
    await bury_raw(broker, management_url, b"\xff\xfe", {"delivery_mode": 1, "message_id": "odd"})
    [letter] = json.loads((await gruppetto("letters", "show", "odd", "--json")).stdout)
    assert (letter["body"], letter["body_encoding"]) == ("//4=", "base64")
    assert "//4=" in (await gruppetto("letters", "show", "odd")).stdout
    assert (await gruppetto("letters", "replay", broker.queue, "--all")).exit_code == 0
    message = await broker.take(broker.queue)
    assert (message.body, message.delivery_mode) == (b"\xff\xfe", aio_pika.DeliveryMode.PERSISTENT)


async def test_a_discard_asks_and_removes_only_what_was_shown(
    broker: Broker, gruppetto: Gruppetto, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bury(broker, *range(40))
    done = await gruppetto("letters", "discard", broker.queue, "--all", answer="n\n")
    assert done.exit_code == 1
    assert "Discard 40 dead letters" in done.output
    await until(lambda: have(broker, 40))
    loop = asyncio.get_running_loop()

    def confirm(*_: object, **__: object) -> bool:
        asyncio.run_coroutine_threadsafe(bury(broker, 99), loop).result()
        return True

    monkeypatch.setattr(letters_cli.typer, "confirm", confirm)
    done = await gruppetto("letters", "discard", broker.queue, "--all", "--json")
    assert len(json.loads(done.stdout)) == 40
    await until(lambda: have(broker, 1))
    assert await numbers(broker, broker.letters) == [99]


async def test_what_was_removed_does_not_come_back(broker: Broker, rabbitmq_url: str) -> None:
    # RabbitMQ forgets acknowledgements that it held back when their channel ends.
    await asyncio.gather(*(bury(broker, number) for number in range(500)))
    async with connected(rabbitmq_url, "tests") as connection:
        async with letters.look(connection, broker.queue) as looking:
            for held in [held async for held in looking]:
                await held.remove()
        assert (await letters.pile(connection, broker.queue)).total == 0


@pytest.mark.parametrize("verb", ["replay", "discard"])
async def test_there_may_be_nothing_to_do(broker: Broker, gruppetto: Gruppetto, verb: str) -> None:
    done = await gruppetto("letters", verb, broker.queue, "--all")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{broker.queue}: 0 dead letters {verb}" in done.stdout
