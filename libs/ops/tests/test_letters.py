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
from desk import HEADERS, REASON, Gruppetto, bury, drain, have, listed, numbers, without_notes
from rig import Broker, Wire, until

from ops import letters
from ops.broker import connected
from shared.messaging.publisher import BROKER_ERRORS
from shared.messaging.topology import declare

#: Documented, and in this order.
KEYS = ["queue", "id", "message_id", "type", "subject", "reason", "moved_by", "attempts", "occurred_at", "died_at"]
KEYS += ["replays", "size"]


async def test_a_listing_shows_every_letter_and_changes_neither_order_nor_content(
    broker: Broker, gruppetto: Gruppetto
) -> None:
    ids = [str(uuid4()) for _ in range(100)]
    for number, message_id in enumerate(ids):
        await bury(broker, number, message_id=message_id)
    for _ in range(2):
        assert [letter["id"] for letter in await listed(gruppetto)] == ids
    await until(lambda: have(broker, 100))
    after = await drain(broker, broker.letters)
    assert [message.message_id for message in after] == ids
    assert [json.loads(message.body)["number"] for message in after] == list(range(100))
    for message in after:
        assert without_notes(message) == HEADERS | {"cloudEvents_type": broker.event.event_type(), "x-reason": REASON}


async def test_a_letter_is_listed_with_the_documented_keys(broker: Broker, gruppetto: Gruppetto) -> None:
    await bury(broker, 1, message_id="m", timestamp=datetime(2020, 1, 1, tzinfo=UTC))
    [letter] = await listed(gruppetto, broker.queue)
    assert list(letter) == KEYS
    assert letter == {
        "queue": broker.queue,
        "id": "m",
        "message_id": "m",
        "type": broker.event.event_type(),
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
    broker: Broker, gruppetto: Gruppetto, words: list[str]
) -> None:
    await bury(broker, *range(50))
    done = await gruppetto("letters", "list", *words)
    assert f"{broker.queue}: 50 dead letters, 3 of them listed" in done.stdout
    await until(lambda: have(broker, 50))
    assert await numbers(broker, broker.letters) == list(range(50))


async def test_letters_are_found_by_type_and_by_reason(broker: Broker, gruppetto: Gruppetto) -> None:
    await bury(broker, 1, message_id="plain")
    await bury(broker, 2, message_id="other", reason="Something.V2 is NOT handled here")
    await bury(broker, 3, message_id="typed", headers={"x-reason": "odd"}, type="gruppetto.other.happened.v1")
    for words, ids in {
        ("--type", "thing.noted"): ["plain", "other"],
        ("--type", "other.happened.v1"): ["typed"],
        ("--reason", "not handled"): ["other"],
        ("--type", "thing.noted", "--reason", "valueerror"): ["plain"],
        ("--type", "thing"): [],
    }.items():
        assert [letter["id"] for letter in await listed(gruppetto, *words)] == ids, words


async def test_a_connection_that_is_lost_in_the_middle_of_a_listing_loses_nothing(broker: Broker, wire: Wire) -> None:
    await bury(broker, *range(100))
    seen = 0
    with contextlib.suppress(*BROKER_ERRORS):
        async with connected(wire.url, "tests") as connection, letters.look(connection, broker.queue) as looking:
            async for _ in looking:
                seen += 1
                if seen == 3:
                    wire.cut()
                    await until(lambda: have(broker, 100))
    assert seen >= 3
    await until(lambda: have(broker, 100))
    assert await numbers(broker, broker.letters) == list(range(100))


async def test_one_command_waits_until_another_has_looked(
    broker: Broker, gruppetto: Gruppetto, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bury(broker, 1)
    async with connected(rabbitmq_url, "tests") as connection, letters.look(connection, broker.queue) as looking:
        await anext(looking)
        with monkeypatch.context() as impatient:
            impatient.setattr(letters, "TURN_S", 0.2)
            done = await gruppetto("letters", "list")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "another command is looking" in done.stderr
        waiting = asyncio.create_task(gruppetto("letters", "discard", broker.queue, "--all", "--yes"))
    assert (await waiting).exit_code == 0
    assert await broker.count(broker.letters) == 0


async def test_a_letter_that_the_broker_moved_tells_the_brokers_reason(broker: Broker, gruppetto: Gruppetto) -> None:
    await broker.put(1, headers={"x-attempt": 2, "x-reason": "KeyError"})
    message = await (await broker.channel.get_queue(broker.queue)).get()
    assert message is not None
    await message.reject(requeue=False)
    await until(lambda: have(broker, 1))
    [letter] = await listed(gruppetto, "--reason", "rejected")
    assert letter["reason"] == "broker: rejected, last error: KeyError"
    assert (letter["moved_by"], letter["attempts"]) == ("broker", 3)
    assert abs((datetime.fromisoformat(letter["died_at"]) - datetime.now(UTC)).total_seconds()) < 60
    await gruppetto("letters", "replay", broker.queue, "--all")
    assert without_notes(await broker.take(broker.queue)) == {"x-replay": 1}


async def test_showing_a_letter_tells_all_that_there_is(broker: Broker, gruppetto: Gruppetto) -> None:
    deep = {"k": {"when": datetime(2020, 1, 1, tzinfo=UTC), "raw": bytearray(b"\xff")}, "x-reason": "\x1b[31mred"}
    await bury(broker, 1, message_id="m", headers=deep)
    [letter] = json.loads((await gruppetto("letters", "show", "m", "--queue", broker.queue, "--json")).stdout)
    assert list(letter) == [*KEYS, "properties", "headers", "body_encoding", "body"]
    assert letter["body"] == {"number": 1}
    assert letter["headers"]["k"] == {"when": "2020-01-01T00:00:00+00:00", "raw": {"base64": "/w=="}}
    text = (await gruppetto("letters", "show", "m")).stdout
    assert '"number": 1' in text
    assert r"\x1b[31mred" in text
    assert "\x1b" not in text


async def test_a_table_shows_what_letters_say_and_obeys_none_of_it(broker: Broker, gruppetto: Gruppetto) -> None:
    await bury(broker, 1, message_id="[red]m[/red]", reason="\x1b]0;title\x07 [bold]" + "long " * 50)
    await bury(broker, 2, message_id="n", headers={})
    done = await gruppetto("letters", "list")
    [line] = [line for line in done.stdout.splitlines() if "[red]m[/red]" in line]
    assert r"\x1b]0;title\x07 [bold]" + "long " * 49 in line
    assert "2026-09-30 10:00:00" in line
    assert "\x1b" not in done.stdout


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
    broker: Broker, gruppetto: Gruppetto, words: list[str], status: int, why: str
) -> None:
    done = await gruppetto("letters", *(broker.queue if word == "QUEUE" else word for word in words))
    assert done.exit_code == status
    assert why in done.stderr


async def test_a_missing_queue_is_told_in_a_sentence(broker: Broker, gruppetto: Gruppetto) -> None:
    await broker.channel.queue_delete(broker.letters, if_unused=False, if_empty=False)
    done = await gruppetto("letters", "list")
    assert done.exit_code == 1
    assert done.stderr == f"gruppetto: the broker has no queue {broker.letters}: declare the topology first\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["letters", "list"], "no connection to the broker at 127.0.0.1:1"),
        (["letters", "replay", "QUEUE", "--all"], "no connection to the broker at 127.0.0.1:1"),
        (["archive", "read"], "no connection to the broker at 127.0.0.1:1"),
        (["archive", "replay", "QUEUE", "--from", "first", "--yes"], "no connection to the broker at 127.0.0.1:1"),
    ],
)
async def test_a_broker_that_is_away_is_one_line_without_its_password(
    broker: Broker, gruppetto: Gruppetto, words: list[str], why: str
) -> None:
    words = [broker.queue if word == "QUEUE" else word for word in words]
    done = await gruppetto(*words, url="amqp://user:canary@127.0.0.1:1/")
    assert (done.exit_code, done.stdout) == (1, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.output


async def test_a_wrong_password_is_one_line_that_does_not_tell_it(broker: Broker, gruppetto: Gruppetto) -> None:
    place = broker.url.partition("@")[2]
    done = await gruppetto("letters", "list", url=f"amqp://user:canary@{place}")
    assert done.exit_code == 1
    assert "refuses the user, the password or the virtual host" in done.stderr
    assert "canary" not in done.output


def test_the_installed_command_lists_and_ends_quietly_when_its_reader_has_enough(
    rabbitmq_url: str, management_url: str
) -> None:
    asyncio.run(declare(rabbitmq_url, management_url))
    program = str(Path(sys.executable).with_name("gruppetto"))
    env = {"RABBITMQ_URL": rabbitmq_url, "PATH": ""}
    done = subprocess.run([program, "letters", "list", "sync.people"], env=env, capture_output=True, check=True)
    assert done.stdout.startswith(b"sync.people: ")
    with subprocess.Popen(
        [program, "letters", "list"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
