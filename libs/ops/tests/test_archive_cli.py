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
from dead_letter_helpers import NOW, Gruppetto, emit
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.messaging.bus import Bus
from testkit.consumer_queue import ConsumerQueue, ThingNoted
from testkit.effects import add_effects, list_effects
from testkit.waiting import wait_until

#: Documented, and in this order.
KEYS = ["offset", "id", "type", "subject", "time", "source", "exchange", "routing_key", "traceparent"]
KEYS += ["body_encoding", "body"]


async def lines(gruppetto: Gruppetto, *words: str) -> list[dict[str, Any]]:
    done = await gruppetto("archive", "read", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_the_command_prints_one_object_a_line(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await emit(queue, 1, hours=1)
    await emit(queue, 2, hours=2)
    one, two = (NOW + timedelta(hours=1)).isoformat(), (NOW + timedelta(hours=2)).isoformat()
    subject = f"{queue.event.producer}-1"
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


async def test_the_command_stops_at_its_limit(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await emit(queue, 1, 2, 3)
    assert len(await lines(gruppetto, "--type", "thing.noted", "--limit", "2")) == 2


def hear_ctrl_c() -> None:
    """As a terminal's child does; whoever runs the tests in the background has it ignored, by inheritance."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def test_following_ends_quietly_with_ctrl_c(queue: ConsumerQueue) -> None:
    await emit(queue, 1)
    program = str(Path(sys.executable).with_name("gruppetto"))
    words = [program, "archive", "read", "--follow", "--subject", f"{queue.event.producer}-1"]
    process = await asyncio.create_subprocess_exec(
        *words,
        env={"RABBITMQ_URL": queue.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
    )
    assert process.stdout is not None
    assert json.loads(await process.stdout.readline())["body"] == {"number": 1}
    await emit(queue, 1)
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
    queue: ConsumerQueue, gruppetto: Gruppetto, words: list[str]
) -> None:
    done = await gruppetto("archive", *(queue.name if word == "QUEUE" else word for word in words))
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.fixture
async def other(queue: ConsumerQueue) -> str:
    """Another consumer's queue that hears the same."""
    name = f"{queue.name}.other"
    queue.extra.append(name)
    declared = await queue.channel.declare_queue(name, durable=True)
    await declared.bind(queue.exchange, routing_key="#")
    return name


async def purge(queue: ConsumerQueue, *names: str) -> None:
    for name in names:
        await (await queue.channel.get_queue(name)).purge()


async def test_a_replay_gives_a_consumer_what_it_hears_and_nobody_else_anything(
    queue: ConsumerQueue, gruppetto: Gruppetto, other: str
) -> None:
    await emit(queue, *range(5))
    target = await queue.channel.get_exchange(queue.exchange, ensure=False)
    await target.publish(aio_pika.Message(b"{}", message_id="unheard"), "thing.unheard.v1")
    await wait_until(lambda: has(queue, queue.name, 5))
    await purge(queue, queue.name, other)
    done = await gruppetto("archive", "replay", queue.name, "--from", "first", "--yes")
    assert done.exit_code == 0
    assert f"{queue.name}: 5 events given once more; the last one was " in done.stdout
    assert await queue.count(queue.name) == 5
    assert await queue.count(other) == 0
    message = await queue.take(queue.name)
    assert message.body == b'{"number":0}'
    assert {key: value for key, value in message.headers.items() if key.startswith("x-") and value} == {"x-replay": 1}
    assert message.headers["traceparent"] == "00-a-b-01"
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT


async def has(queue: ConsumerQueue, name: str, number: int) -> bool:
    return await queue.count(name) == number


async def test_a_replay_counts_and_asks_first(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await emit(queue, 1, 2)
    await purge(queue, queue.name)
    done = await gruppetto("archive", "replay", queue.name, "--from", "first", answer="n\n")
    assert done.exit_code == 1
    assert f"Give 2 events to {queue.name} once more?" in done.output
    assert await queue.count(queue.name) == 0
    subject = f"{queue.event.producer}-2"
    done = await gruppetto("archive", "replay", queue.name, "--from", "first", "--subject", subject, answer="y\n")
    assert f"{queue.name}: 1 event given once more" in done.stdout
    assert (await queue.take(queue.name)).body == b'{"number":2}'


async def test_a_consumer_that_lost_some_state_gets_it_back_and_handles_the_rest_once(
    queue: ConsumerQueue, gruppetto: Gruppetto, database: Database
) -> None:
    async def note(event: ThingNoted, session: AsyncSession) -> None:
        await add_effects(session, [event])

    async def consumed(*take_numbers: int) -> None:
        async def done() -> bool:
            return sorted(await list_effects(database)) == list(take_numbers) and await queue.count(queue.name) == 0

        bus = Bus(queue.url, "tests", database)
        bus.subscribe(queue.name, {queue.event: note})
        await bus.start()
        await wait_until(done)
        await bus.stop()

    await emit(queue, 1, 2)
    await consumed(1, 2)
    await emit(queue, 3)
    await wait_until(lambda: has(queue, queue.name, 1))
    await purge(queue, queue.name)
    await gruppetto("archive", "replay", queue.name, "--from", "first", "--yes")
    await consumed(1, 2, 3)


async def test_a_replay_of_more_than_one_batch_gives_everything(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await emit(queue, *range(450))
    await wait_until(lambda: has(queue, queue.name, 450))
    await purge(queue, queue.name)
    done = await gruppetto("archive", "replay", queue.name, "--from", "first", "--yes")
    assert f"{queue.name}: 450 events given once more" in done.stdout
    assert await queue.count(queue.name) == 450


async def test_a_replay_to_a_queue_that_is_gone_is_told(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await emit(queue, 1)
    await queue.channel.queue_delete(queue.name, if_unused=False, if_empty=False)
    done = await gruppetto("archive", "replay", queue.name, "--from", "first", "--yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "does not take a message" in done.stderr
    assert "gruppetto topology declare" in done.stderr
