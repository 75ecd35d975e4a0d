"""The topology on the broker: one exchange per producer, and the queues bound to it. Declared before any service."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.contracts.events import EVENTS, Event
from shared.contracts.queues import ARCHIVE, QUEUES, RETRY_STEPS, dead_letter_queue, exchange_name, retry_queue
from shared.messaging.publisher import connect, is_recovering

Policy: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Declared:
    """What was missing before. Events have gone past a new queue unless all is new."""

    new_queues: tuple[str, ...]  # of consumers
    archive_is_new: bool


#: A queue that holds this much has no consumer worth the name; the rest waits in the producers' outboxes.
_MAX_LENGTH_BYTES = 2 * 1024**3
#: Each crash or lost connection of a consumer counts for all that it held: high enough for the innocent, and an end
#: for a message that kills whoever takes it.
_DELIVERY_LIMIT = 50
#: Looking at a dead letter counts as a delivery, and 4.x drops a message after 20 by default.
_LETTER_DELIVERY_LIMIT = 1_000_000
_PRIORITY = 10
#: A stream is back a second after the broker takes connections.
RECOVERY_S = 60.0
RECOVERY_INTERVAL_S = 0.2


class TopologyError(Exception):
    """The broker is not as it has to be; the text says what to do."""


def policies(queues: Iterable[str] = QUEUES, retry_steps: Mapping[str, int] = RETRY_STEPS) -> dict[str, Policy]:
    """Queue -> the policy of the same name, as the management API and a definitions file take it.

    Limits, waits and dead-letter addresses are policies, because arguments could never be changed again.
    """
    made = {ARCHIVE: _policy(ARCHIVE, {"max-age": "7D", "stream-max-segment-size-bytes": 16_000_000})}
    for queue in queues:
        letters = dead_letter_queue(queue)
        made[letters] = _policy(letters, {"delivery-limit": _LETTER_DELIVERY_LIMIT})
        for step, ttl_ms in retry_steps.items():
            name = retry_queue(queue, step)
            made[name] = _policy(name, {"message-ttl": ttl_ms, **_dead_letters_to(queue)})
        limits = {"delivery-limit": _DELIVERY_LIMIT, "max-length-bytes": _MAX_LENGTH_BYTES}
        made[queue] = _policy(queue, {**limits, **_dead_letters_to(letters)})
    return made


def _dead_letters_to(queue: str) -> dict[str, str]:
    return {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": queue,
        # By default a move that meets a full queue or a node without a leader loses the message.
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }


def _policy(queue: str, definition: dict[str, Any]) -> Policy:
    return {
        "pattern": f"^{re.escape(queue)}$",
        "apply-to": "queues",
        "priority": _PRIORITY,
        "definition": definition,
    }


async def declare(
    url: str,
    management_url: str | None,
    queues: Mapping[str, Sequence[type[Event]]] = QUEUES,
    retry_steps: Mapping[str, int] = RETRY_STEPS,
) -> Declared:
    """Declare everything; calling it again changes nothing. Works on RabbitMQ 3.10 and on 4.x.

    `management_url` None leaves the policies to whoever imported them. Raises TopologyError, OSError, an AMQP error
    or an httpx one.
    """
    wanted = policies(queues, retry_steps)
    if management_url is not None:
        await _put_policies(management_url, virtual_host(url), wanted)
    async with await connect(url, "topology") as connection:
        missing = {queue for queue in wanted if await _is_missing(connection, queue)}
        declared = Declared(tuple(queue for queue in queues if queue in missing), ARCHIVE in missing)
        channel = await connection.channel()
        archive = await _durable(channel, ARCHIVE, "stream")
        producers = {event.producer for consumed in [EVENTS, *queues.values()] for event in consumed}
        for producer in sorted(producers):
            exchange = await channel.declare_exchange(
                exchange_name(producer), aio_pika.ExchangeType.TOPIC, durable=True
            )
            await archive.bind(exchange, routing_key="#")
        for name, consumed in queues.items():
            for aside in [dead_letter_queue(name), *(retry_queue(name, step) for step in retry_steps)]:
                await _durable(channel, aside, "quorum")
            queue = await _durable(channel, name, "quorum")
            for event in consumed:
                await queue.bind(exchange_name(event.producer), routing_key=event.routing_key())
    if management_url is not None:
        await _check_policies(management_url, virtual_host(url), wanted)
    return declared


async def _is_missing(connection: AbstractConnection, queue: str) -> bool:
    """Whether it does not exist; one that is not back since the broker started is awaited. Raises TopologyError."""
    deadline = asyncio.get_running_loop().time() + RECOVERY_S
    while True:
        channel = await connection.channel()  # of its own, which the broker closes with its answer
        try:
            await channel.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity as error:
            if not is_recovering(error):
                return True
            if asyncio.get_running_loop().time() > deadline:
                raise TopologyError(
                    f"{queue} has not come back since the broker started ({error}). Start the broker again; if that"
                    " does not help, because it was killed while the queue was declared, empty its data folder first"
                ) from None
            await asyncio.sleep(RECOVERY_INTERVAL_S)
        else:
            await channel.close()
            return False


async def _durable(channel: AbstractChannel, name: str, kind: str) -> AbstractQueue:
    try:
        return await channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
    except aio_pika.exceptions.ChannelPreconditionFailed as error:
        raise TopologyError(
            f"{name} exists with other arguments: when it is empty, delete it and declare again ({error})"
        ) from None


def virtual_host(url: str) -> str:
    """The broker's virtual host that an address names."""
    return unquote(urlsplit(url).path[1:]) or "/"


async def _put_policies(management_url: str, host: str, wanted: Mapping[str, Policy]) -> None:
    async with httpx.AsyncClient(base_url=management_url, timeout=10) as client:
        for name, policy in wanted.items():
            answer = await client.put(f"/api/policies/{_quoted(host)}/{_quoted(name)}", json=policy)
            if not answer.is_success:
                raise TopologyError(f"the broker refuses the policy {name}: {_refusal(answer)}")


async def _check_policies(management_url: str, host: str, wanted: Mapping[str, Policy]) -> None:
    async with httpx.AsyncClient(base_url=management_url, timeout=10) as client:
        # Without its statistics, which lag behind by seconds, the API asks the queues themselves.
        wanted_columns = {"columns": "name,policy", "disable_stats": "true"}
        answer = await client.get(f"/api/queues/{_quoted(host)}", params=wanted_columns)
    if not answer.is_success:
        raise TopologyError(f"the broker does not list its queues: {_refusal(answer)}")
    actual = {queue["name"]: queue.get("policy") for queue in answer.json()}
    for name in wanted:
        if actual.get(name) != name:
            raise TopologyError(
                f"the policy {actual.get(name)} wins over ours on {name}: lower its priority below {_PRIORITY}"
            )


def _refusal(answer: httpx.Response) -> str:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return "the management user may not do that; it needs the tag policymaker and access to the virtual host"
    return f"{answer.status_code} {' '.join(answer.text.split())[:300]}"


def _quoted(name: str) -> str:
    return quote(name, safe="")
