"""Looking at dead letters on a real broker changes nothing, and nothing that they say is trusted."""

import asyncio
import contextlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from dead_letter_helpers import (
    HEADERS,
    REASON,
    Gruppetto,
    has_dead_letters,
    listing,
    own_headers,
    put_dead_letters,
    put_raw_dead_letter,
    take_all,
    take_numbers,
)

from ops import dead_letters
from ops.broker import open_connection
from shared.messaging.publisher import BROKER_ERRORS
from shared.messaging.topology import declare
from testkit.consumer_queue import ConsumerQueue
from testkit.tcp_proxy import TcpProxy
from testkit.waiting import stays_true, wait_until

#: Documented, and in this order.
KEYS = ["queue", "id", "message_id", "type", "subject", "reason", "moved_by", "attempts", "occurred_at", "died_at"]
KEYS += ["replays", "size"]


async def test_a_listing_shows_every_letter_and_changes_neither_order_nor_content(
    queue: ConsumerQueue, gruppetto: Gruppetto
) -> None:
    ids = [str(uuid4()) for _ in range(100)]
    for number, message_id in enumerate(ids):
        await put_dead_letters(queue, number, message_id=message_id)
    for _ in range(2):
        assert [letter["id"] for letter in await listing(gruppetto)] == ids
    await wait_until(lambda: has_dead_letters(queue, 100))
    after = await take_all(queue, queue.dead_letters)
    assert [message.message_id for message in after] == ids
    assert [json.loads(message.body)["number"] for message in after] == list(range(100))
    for message in after:
        assert own_headers(message) == HEADERS | {"cloudEvents_type": queue.event.event_type(), "x-reason": REASON}


async def test_a_letter_is_listed_with_the_documented_keys(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await put_dead_letters(queue, 1, message_id="m", timestamp=datetime(2020, 1, 1, tzinfo=UTC))
    [letter] = await listing(gruppetto, queue.name)
    assert list(letter) == KEYS
    assert letter == {
        "queue": queue.name,
        "id": "m",
        "message_id": "m",
        "type": queue.event.event_type(),
        "subject": "7",
        "reason": REASON,
        "moved_by": "consumer",
        "attempts": 4,
        "occurred_at": "2026-09-30T10:00:00+00:00",
        "died_at": None,
        "replays": 0,
        "size": 13,
    }


@pytest.mark.parametrize("words", [["--limit", "3"], ["--limit", "3", "--reason", "error"]])
async def test_a_listing_that_ends_early_keeps_the_order_too(
    queue: ConsumerQueue, gruppetto: Gruppetto, words: list[str]
) -> None:
    await put_dead_letters(queue, *range(50))
    done = await gruppetto("dead-letters", "list", *words)
    assert f"{queue.name}: 50 dead letters, 3 of them listed" in done.stdout
    await wait_until(lambda: has_dead_letters(queue, 50))
    assert await take_numbers(queue, queue.dead_letters) == list(range(50))


async def test_letters_are_found_by_type_and_by_reason(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await put_dead_letters(queue, 1, message_id="plain")
    await put_dead_letters(queue, 2, message_id="other", reason="Something.V2 is NOT handled here")
    await put_dead_letters(
        queue, 3, message_id="typed", headers={"x-reason": "odd"}, type="gruppetto.other.happened.v1"
    )
    for words, ids in {
        ("--type", "thing.noted"): ["plain", "other"],
        ("--type", "other.happened.v1"): ["typed"],
        ("--reason", "not handled"): ["other"],
        ("--type", "thing.noted", "--reason", "valueerror"): ["plain"],
        ("--type", "thing"): [],
    }.items():
        assert [letter["id"] for letter in await listing(gruppetto, *words)] == ids, words


async def test_a_connection_that_is_lost_in_the_middle_of_a_listing_loses_nothing(
    queue: ConsumerQueue, proxy: TcpProxy
) -> None:
    await put_dead_letters(queue, *range(100))
    seen, ended = 0, False
    with contextlib.suppress(*BROKER_ERRORS):
        async with (
            open_connection(proxy.url, "tests") as connection,
            dead_letters.browse(connection, queue.name) as browsing,
        ):
            async for _ in browsing:
                seen += 1
                if seen == 3:
                    proxy.cut()
                    await wait_until(lambda: connection.is_closed)
            ended = True
    assert seen == 3
    assert not ended, "a listing that was cut off says so"
    await wait_until(lambda: has_dead_letters(queue, 100))
    assert await take_numbers(queue, queue.dead_letters) == list(range(100))


async def test_one_command_waits_until_another_has_looked(
    queue: ConsumerQueue, gruppetto: Gruppetto, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_dead_letters(queue, 1)
    async with (
        open_connection(rabbitmq_url, "tests") as connection,
        dead_letters.browse(connection, queue.name) as browsing,
    ):
        await anext(browsing)
        with monkeypatch.context() as impatient:
            impatient.setattr(dead_letters, "LEASE_TIMEOUT_S", 0.2)
            done = await gruppetto("dead-letters", "list")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "another command is looking" in done.stderr
        waiting = asyncio.create_task(gruppetto("dead-letters", "discard", queue.name, "--all", "--yes"))
        await stays_true(lambda: not waiting.done(), 1)
    assert (await waiting).exit_code == 0
    assert await queue.count(queue.dead_letters) == 0


async def test_a_letter_that_the_broker_moved_tells_the_brokers_reason(
    queue: ConsumerQueue, gruppetto: Gruppetto
) -> None:
    await queue.put(1, headers={"x-attempt": 2, "x-reason": "KeyError"})
    message = await (await queue.channel.get_queue(queue.name)).get()
    assert message is not None
    await message.reject(requeue=False)
    await wait_until(lambda: has_dead_letters(queue, 1))
    [letter] = await listing(gruppetto, "--reason", "rejected")
    assert letter["reason"] == "broker: rejected, last error: KeyError"
    assert (letter["moved_by"], letter["attempts"]) == ("broker", 3)
    assert abs((datetime.fromisoformat(letter["died_at"]) - datetime.now(UTC)).total_seconds()) < 60
    await gruppetto("dead-letters", "replay", queue.name, "--all")
    assert own_headers(await queue.take(queue.name)) == {"x-replay": 1}


async def test_showing_a_letter_tells_all_that_there_is(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    deep = {"k": {"when": datetime(2020, 1, 1, tzinfo=UTC), "raw": bytearray(b"\xff")}, "x-reason": "\x1b[31mred"}
    await put_dead_letters(queue, 1, message_id="m", headers=deep)
    [letter] = json.loads((await gruppetto("dead-letters", "show", "m", "--queue", queue.name, "--json")).stdout)
    assert list(letter) == [*KEYS, "properties", "headers", "body_encoding", "body"]
    assert letter["body"] == {"number": 1}
    assert letter["headers"]["k"] == {"when": "2020-01-01T00:00:00+00:00", "raw": {"base64": "/w=="}}
    text = (await gruppetto("dead-letters", "show", "m")).stdout
    assert '"number": 1' in text
    assert r"\x1b[31mred" in text
    assert "\x1b" not in text


async def test_a_table_shows_what_letters_say_and_obeys_none_of_it(
    queue: ConsumerQueue, gruppetto: Gruppetto
) -> None:
    await put_dead_letters(queue, 1, message_id="[red]m[/red]", reason="\x1b]0;title\x07 [bold]" + "long " * 50)
    await put_dead_letters(queue, 2, message_id="n", headers={})
    done = await gruppetto("dead-letters", "list")
    [line] = [line for line in done.stdout.splitlines() if "[red]m[/red]" in line]
    assert r"\x1b]0;title\x07 [bold]" + "long " * 49 in line
    assert "2026-09-30 10:00:00" in line
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
async def test_a_time_that_is_none_does_not_end_the_listing(
    queue: ConsumerQueue, gruppetto: Gruppetto, time: str
) -> None:
    await put_dead_letters(queue, 1, headers={"cloudEvents_time": time})
    await put_dead_letters(queue, 2)
    done = await gruppetto("dead-letters", "list")
    assert done.exit_code == 0, done.output
    assert f"{queue.name}: 2 dead letters" in done.stdout


async def test_a_letter_whose_properties_cannot_be_read_is_listed_and_discarded(
    queue: ConsumerQueue, gruppetto: Gruppetto, management_url: str
) -> None:
    await put_raw_dead_letter(queue, management_url, b"body", {"timestamp": 2**63 - 1})
    await put_dead_letters(queue, 1)
    odd, usual = await listing(gruppetto)
    assert usual["subject"] == "7"
    [shown] = json.loads((await gruppetto("dead-letters", "show", odd["id"], "--json")).stdout)
    assert (shown["headers"], shown["body"]) == ({"unreadable-properties": "ValueError"}, "body")
    done = await gruppetto("dead-letters", "replay", queue.name, "--all")
    assert done.exit_code == 0, done.output
    assert await queue.count(queue.dead_letters) == 0


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["show", "unknown"], 1, "no dead letter 'unknown' in"),
        (["discard", "QUEUE", "--id", "unknown"], 1, "no dead letter 'unknown' in"),
        (["list", "unknown"], 1, "there is no consumer's queue 'unknown'; there are c"),
        (["replay", "unknown", "--all"], 1, "there is no consumer's queue 'unknown'"),
        (["replay", "QUEUE"], 2, "either --id or --all"),
        (["discard", "QUEUE", "--id", "m", "--all"], 2, "either --id or --all"),
        (["list", "--limit", "-1"], 2, "--limit"),
    ],
)
async def test_a_mistake_is_told_in_a_sentence(
    queue: ConsumerQueue, gruppetto: Gruppetto, words: list[str], status: int, why: str
) -> None:
    done = await gruppetto("dead-letters", *(queue.name if word == "QUEUE" else word for word in words))
    assert done.exit_code == status
    assert why in done.stderr


async def test_a_missing_queue_is_told_in_a_sentence(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    await queue.channel.queue_delete(queue.dead_letters, if_unused=False, if_empty=False)
    done = await gruppetto("dead-letters", "list")
    assert done.exit_code == 1
    assert done.stderr == f"gruppetto: the broker has no queue {queue.dead_letters}: declare the topology first\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["dead-letters", "list"], "no connection to the broker at 127.0.0.1:1"),
        (["dead-letters", "replay", "QUEUE", "--all"], "no connection to the broker at 127.0.0.1:1"),
        (["archive", "read"], "no connection to the broker at 127.0.0.1:1"),
        (["archive", "replay", "QUEUE", "--from", "first", "--yes"], "no connection to the broker at 127.0.0.1:1"),
    ],
)
async def test_a_broker_that_is_away_is_one_line_without_its_password(
    queue: ConsumerQueue, gruppetto: Gruppetto, words: list[str], why: str
) -> None:
    words = [queue.name if word == "QUEUE" else word for word in words]
    done = await gruppetto(*words, url="amqp://user:canary@127.0.0.1:1/")
    assert (done.exit_code, done.stdout) == (1, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.output


async def test_a_wrong_password_is_one_line_that_does_not_tell_it(queue: ConsumerQueue, gruppetto: Gruppetto) -> None:
    place = queue.url.partition("@")[2]
    done = await gruppetto("dead-letters", "list", url=f"amqp://user:canary@{place}")
    assert done.exit_code == 1
    assert "refuses the user, the password or the virtual host" in done.stderr
    assert "canary" not in done.output


def test_the_installed_command_lists_and_ends_quietly_when_its_reader_has_enough(
    rabbitmq_url: str, management_url: str
) -> None:
    asyncio.run(declare(rabbitmq_url, management_url))
    program = str(Path(sys.executable).with_name("gruppetto"))
    env = {"RABBITMQ_URL": rabbitmq_url, "PATH": ""}
    done = subprocess.run([program, "dead-letters", "list", "sync.people"], env=env, capture_output=True, check=True)
    assert done.stdout.startswith(b"sync.people: ")
    with subprocess.Popen(
        [program, "dead-letters", "list"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
