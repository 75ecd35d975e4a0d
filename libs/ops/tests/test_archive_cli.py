"""`gruppetto archive` on a real broker: lines of JSON, and events given again to one consumer."""

import asyncio
import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from desk import NOW, Gruppetto, emit
from rig import Broker, Noted, effects, until, write
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.messaging.bus import Bus

#: Documented, and in this order.
KEYS = ["offset", "id", "type", "subject", "time", "source", "exchange", "routing_key", "traceparent"]
KEYS += ["body_encoding", "body"]


async def lines(gruppetto: Gruppetto, *words: str) -> list[dict[str, Any]]:
    done = await gruppetto("archive", "read", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_the_command_prints_one_object_a_line(broker: Broker, gruppetto: Gruppetto) -> None:
    await emit(broker, 1, hours=1)
    await emit(broker, 2, hours=2)
    one, two = (NOW + timedelta(hours=1)).isoformat(), (NOW + timedelta(hours=2)).isoformat()
    subject = f"{broker.event.producer}-1"
    [event] = await lines(gruppetto, "--subject", subject)
    assert list(event) == KEYS
    assert (event["time"], event["body"], event["body_encoding"]) == (one, {"number": 1}, "json")
    for words, number in {
        ("--from", str(event["offset"]), "--until", str(event["offset"])): 1,
        ("--from", one.replace("+00:00", "Z"), "--until", one.removesuffix("+00:00")): 1,
        ("--from", two): 0,
        ("--from", "2d", "--until", "1h"): 1,
        ("--from", "next"): 0,
    }.items():
        assert len(await lines(gruppetto, *words, "--subject", subject)) == number, words


async def test_the_command_stops_at_its_limit(broker: Broker, gruppetto: Gruppetto) -> None:
    await emit(broker, 1, 2, 3)
    assert len(await lines(gruppetto, "--type", "thing.noted", "--limit", "2")) == 2


def hear_ctrl_c() -> None:
    """As a terminal's child does; whoever runs the tests in the background has it ignored, by inheritance."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def test_following_ends_quietly_with_ctrl_c(broker: Broker) -> None:
    await emit(broker, 1)
    program = str(Path(sys.executable).with_name("gruppetto"))
    words = [program, "archive", "read", "--follow", "--subject", f"{broker.event.producer}-1"]
    process = await asyncio.create_subprocess_exec(
        *words,
        env={"RABBITMQ_URL": broker.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
    )
    assert process.stdout is not None
    assert json.loads(await process.stdout.readline())["body"] == {"number": 1}
    await emit(broker, 1)
    assert json.loads(await process.stdout.readline())["body"] == {"number": 1}
    process.send_signal(signal.SIGINT)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize(
    "words",
    [
        ["read", "--from", "yesterday"],
        ["read", "--until", "next"],
        ["read", "--from", "-1"],
        ["read", "--from", "9" * 30],
        ["read", "--follow", "--until", "5"],
        ["replay", "QUEUE"],
    ],
)
async def test_a_mistake_is_told_before_anything_is_done(
    broker: Broker, gruppetto: Gruppetto, words: list[str]
) -> None:
    done = await gruppetto("archive", *(broker.queue if word == "QUEUE" else word for word in words))
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.fixture
async def other(broker: Broker) -> str:
    """Another consumer's queue that hears the same."""
    name = f"{broker.queue}.other"
    broker.extra.append(name)
    queue = await broker.channel.declare_queue(name, durable=True)
    await queue.bind(broker.exchange, routing_key="#")
    return name


async def purge(broker: Broker, *queues: str) -> None:
    for queue in queues:
        await (await broker.channel.get_queue(queue)).purge()


async def test_a_replay_gives_a_consumer_what_it_hears_and_nobody_else_anything(
    broker: Broker, gruppetto: Gruppetto, other: str
) -> None:
    await emit(broker, *range(5))
    target = await broker.channel.get_exchange(broker.exchange, ensure=False)
    await target.publish(aio_pika.Message(b"{}", message_id="unheard"), "thing.unheard.v1")
    await until(lambda: has(broker, broker.queue, 5))
    await purge(broker, broker.queue, other)
    done = await gruppetto("archive", "replay", broker.queue, "--from", "first", "--yes")
    assert done.exit_code == 0
    assert f"{broker.queue}: 5 events given once more; the last one was " in done.stdout
    assert await broker.count(broker.queue) == 5
    assert await broker.count(other) == 0
    message = await broker.take(broker.queue)
    assert message.body == b'{"number":0}'
    assert {key: value for key, value in message.headers.items() if key.startswith("x-") and value} == {"x-replay": 1}
    assert message.headers["traceparent"] == "00-a-b-01"
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT


async def has(broker: Broker, queue: str, number: int) -> bool:
    return await broker.count(queue) == number


async def test_a_replay_counts_and_asks_first(broker: Broker, gruppetto: Gruppetto) -> None:
    await emit(broker, 1, 2)
    await purge(broker, broker.queue)
    done = await gruppetto("archive", "replay", broker.queue, "--from", "first", answer="n\n")
    assert done.exit_code == 1
    assert f"Give 2 events to {broker.queue} once more?" in done.output
    assert await broker.count(broker.queue) == 0
    subject = f"{broker.event.producer}-2"
    done = await gruppetto("archive", "replay", broker.queue, "--from", "first", "--subject", subject, answer="y\n")
    assert f"{broker.queue}: 1 event given once more" in done.stdout
    assert (await broker.take(broker.queue)).body == b'{"number":2}'


async def test_a_consumer_that_lost_some_state_gets_it_back_and_handles_the_rest_once(
    broker: Broker, gruppetto: Gruppetto, database: Database
) -> None:
    async def note(event: Noted, session: AsyncSession) -> None:
        await write(session, [event])

    async def consumed(*numbers: int) -> None:
        async def done() -> bool:
            return sorted(await effects(database)) == list(numbers) and await broker.count(broker.queue) == 0

        bus = Bus(broker.url, "tests", database)
        bus.subscribe(broker.queue, {broker.event: note})
        await bus.start()
        await until(done)
        await bus.stop()

    await emit(broker, 1, 2)
    await consumed(1, 2)
    await emit(broker, 3)
    await until(lambda: has(broker, broker.queue, 1))
    await purge(broker, broker.queue)
    await gruppetto("archive", "replay", broker.queue, "--from", "first", "--yes")
    await consumed(1, 2, 3)


async def test_a_replay_of_more_than_one_batch_gives_everything(broker: Broker, gruppetto: Gruppetto) -> None:
    await emit(broker, *range(450))
    await until(lambda: has(broker, broker.queue, 450))
    await purge(broker, broker.queue)
    done = await gruppetto("archive", "replay", broker.queue, "--from", "first", "--yes")
    assert f"{broker.queue}: 450 events given once more" in done.stdout
    assert await broker.count(broker.queue) == 450


async def test_a_replay_to_a_queue_that_is_gone_is_told(broker: Broker, gruppetto: Gruppetto) -> None:
    await emit(broker, 1)
    await broker.channel.queue_delete(broker.queue, if_unused=False, if_empty=False)
    done = await gruppetto("archive", "replay", broker.queue, "--from", "first", "--yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "does not take a message" in done.stderr
    assert "gruppetto topology declare" in done.stderr
