"""Nothing is lost and nothing is done twice while whatever can fail does, under load."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from scene import SHORT_STEPS, Scene
from weather import LONG, TIMEOUT_S, Deck

from devstack.errors import StackError
from devstack.process.gather_or_cancel import together

pytestmark = pytest.mark.timeout(TIMEOUT_S)


CREW = ("relay", "relay", "consumer", "consumer", "producer")
WORK_S = 0.01  # enough for a good part of the blows to fall on work that is under way

Blow: TypeAlias = Callable[[Scene], Awaitable[None]]


async def kill_somebody(scene: Scene) -> None:
    await scene.crew.replace(scene.dice.choice(scene.crew.names))


async def kill_the_broker(scene: Scene) -> None:
    await scene.battered.kill_broker()
    scene.crew.kills["broker"] += 1
    await scene.battered.start_broker()
    await scene.work_goes_on()


async def crash_postgres(scene: Scene) -> None:
    await scene.battered.crash_postgres()
    scene.crew.kills["postgres"] += 1
    await scene.battered.start_postgres()


async def close_connections(scene: Scene) -> None:
    with suppress(httpx.HTTPError):  # the broker may be away
        scene.crew.kills["broker connection"] += await scene.battered.close_connections()


async def terminate_backends(scene: Scene) -> None:
    with suppress(StackError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # so may Postgres
        scene.crew.kills["database session"] += await scene.battered.terminate_backends()


async def storm(scene: Scene, *blows: Blow, at_once: int = 1, **settings: object) -> None:
    """Blow after blow on everything under load; then everything must be there, once."""
    for role in CREW:
        await scene.crew.start(role, work_s=WORK_S, **settings)
    deck = Deck(scene.dice, blows)
    async for _ in scene.gusts():
        await together(*(blow(scene) for blow in {deck.deal() for _ in range(at_once)}))
    assert scene.crew.kills.total() > 0
    await scene.expect_everything_once()


async def test_processes_are_killed(scene: Scene) -> None:
    roles = Deck(scene.dice, CREW)

    async def kill_one(scene: Scene) -> None:
        await scene.crew.replace(scene.dice.choice(scene.crew.of(roles.deal())))

    await storm(scene, kill_one)


async def test_the_broker_is_killed(scene: Scene) -> None:
    await storm(scene, kill_the_broker)


async def test_postgres_stops_immediately(scene: Scene) -> None:
    await storm(scene, crash_postgres)


async def test_connections_are_closed(scene: Scene) -> None:
    await storm(scene, close_connections, terminate_backends)


async def test_everything_fails_at_once(scene: Scene) -> None:
    """The handlers, too: what they stumble over takes the way over the retry queues."""
    await scene.declare(SHORT_STEPS)
    blows = [kill_somebody, close_connections, terminate_backends, crash_postgres]
    await storm(scene, *blows, *([kill_the_broker] if LONG else []), at_once=2, stumbles=25, batch=50, rate=150)
    assert scene.crew.set_aside > 0
