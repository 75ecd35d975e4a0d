"""A service that is measured: its process, and what is published to it."""

import sys
from datetime import UTC, datetime
from typing import TypeAlias

import aio_pika
import httpx
import uuid_utils.compat as uuid_utils

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.stack.stack import is_healthy
from shared.contracts.envelope import encode_attributes
from shared.contracts.events import Event
from shared.contracts.queues import exchange_name

#: A message, its exchange and its routing key.
Outgoing: TypeAlias = tuple[aio_pika.Message, str, str]

READY_S = 60.0
_KEYS = {
    "ingest": {"INGEST_OPERATOR_KEY": "a-key-for-a-benchmark"},
    "leaderboard": {
        "LEADERBOARD_API_KEY": "a-key-for-a-benchmark",
        "LEADERBOARD_OPERATOR_KEY": "another-key-for-a-benchmark",
    },
}


async def start_service(
    supervisor: Supervisor, name: str, service: str, database_url: str, amqp_url: str, **settings: str
) -> str:
    """Start a process of ingest or leaderboard under that name; returns the address of its API when it is ready."""
    http_port, internal_port = reserve_ports(2)
    env = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": database_url,
        "RABBITMQ_URL": amqp_url,
        "HTTP_PORT": str(http_port),
        "INTERNAL_PORT": str(internal_port),
        "LOG_LEVEL": "ERROR",
        **_KEYS[service],
        **settings,
    }
    await supervisor.start(name, [sys.executable, "-P", "-m", f"{service}.main"], env=env)
    async with httpx.AsyncClient() as client:
        address = f"http://127.0.0.1:{internal_port}/health/ready"
        await supervisor.wait_until_ready(name, lambda: is_healthy(client, address), READY_S)
    return f"http://127.0.0.1:{http_port}"


def to_outgoing(event: Event) -> Outgoing:
    """The event as a service publishes it."""
    return to_message(event, event.model_dump_json()), exchange_name(event.producer), event.routing_key()


def to_message(event: Event, body: str) -> aio_pika.Message:
    """A message with the attributes of the event and this body."""
    key = uuid_utils.uuid7()
    return aio_pika.Message(
        body.encode(),
        headers=dict(encode_attributes(event, key, datetime.now(UTC))),
        message_id=str(key),
        type=event.event_type(),
        delivery_mode=2,
    )
