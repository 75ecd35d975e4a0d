"""Whatever the order, the number and the detours of deliveries: each committed fact has one effect."""

import signal
from uuid import uuid4

import pytest
from ledger import until
from scene import Scene
from sqlalchemy import text
from weather import TIMEOUT_S

from shared.contracts.queues import ARCHIVE

pytestmark = pytest.mark.timeout(TIMEOUT_S)

_leader = text(
    """select application_name from pg_locks join pg_stat_activity using (pid)
       where locktype = 'advisory' and granted and application_name like 'relay-%' and state = :state"""
)
_tried_since = text(
    "select 1 from pg_stat_activity where application_name = :name and state = 'idle' and state_change > :time"
)


async def test_duplicates_in_any_order_have_one_effect(scene: Scene) -> None:
    events = await scene.commit(*range(300), told=False)
    deliveries = [
        delivery
        for event, message_id in [(event, uuid4()) for event in events]
        for delivery in [(event, message_id)] * scene.dice.randint(1, 3)
    ]
    scene.dice.shuffle(deliveries)
    await scene.crew.start("consumer")
    await scene.crew.start("consumer")
    await scene.put_all(deliveries)
    await scene.expect_everything_once()
    assert scene.crew.duplicates == len(deliveries) - len(events)


async def test_an_event_that_is_committed_late_arrives_although_later_ones_went_before(scene: Scene) -> None:
    await scene.crew.start("relay")
    await scene.crew.start("consumer")
    async with scene.database.transaction() as slow:
        await scene.record(slow, 1)
        await scene.commit(2)
        await scene.effects(1)
        await until(scene.outbox_is_empty, "the later one is gone")
    await scene.effects(2)
    await scene.expect_everything_once()


async def test_of_two_relays_one_leads_and_the_other_takes_over_when_it_is_killed(scene: Scene) -> None:
    relays = {await scene.crew.start("relay"), await scene.crew.start("relay")}
    for number in range(200):
        await scene.commit(number)
    await until(scene.outbox_is_empty, "all is published")
    assert await scene.ready() == 200, "nothing is published twice in calm weather"
    frozen = await until(lambda: freeze_leader(scene), "a relay is frozen while it leads")
    [other] = relays - {frozen}
    waiting = await scene.ledger.waiting()
    await until_it_tried(scene, other)
    assert await scene.ledger.waiting() == waiting > 0, "nobody leads besides the leader"
    await scene.crew.kill(frozen)
    await until(scene.outbox_is_empty, "the other has taken over")
    await scene.crew.start("consumer")
    await scene.expect_everything_once()


async def freeze_leader(scene: Scene) -> str | None:
    """Stop a relay in the middle of a step, with work to do; it keeps the lead as long as it is frozen."""
    first = (await scene.ledger.counts()).committed
    await scene.commit(*range(first, first + 1000))
    name = await leader(scene, "idle in transaction")
    if name is None:
        return None
    scene.crew.signal(name, signal.SIGSTOP)
    if await until(lambda: leads_or_not(scene, name), "its last statement has ended") == "leads":
        return name
    scene.crew.signal(name, signal.SIGCONT)
    return None


async def leader(scene: Scene, state: str) -> str | None:
    async with scene.database.transaction() as session:
        name: str | None = (await session.execute(_leader, {"state": state})).scalars().first()
        return name


async def leads_or_not(scene: Scene, name: str) -> str:
    """'' while its database is still at work for it."""
    if await leader(scene, "active"):
        return ""
    return "leads" if await leader(scene, "idle in transaction") == name else "does not"


async def until_it_tried(scene: Scene, name: str) -> None:
    async with scene.database.transaction() as session:
        now = (await session.execute(text("select clock_timestamp()"))).scalar_one()

    async def tried() -> bool:
        async with scene.database.transaction() as session:
            return (await session.execute(_tried_since, {"name": name, "time": now})).first() is not None

    await until(tried, f"{name} looked for work")


async def commit_astray(scene: Scene, number: int, **address: str) -> None:
    """Commit an event that goes to another exchange or has another routing key."""
    async with scene.database.transaction() as session:
        await scene.record(session, number)
        for column, value in address.items():
            await session.execute(text(f"update outbox set {column} = :value"), {"value": value})


async def expect_it_stays_while_others_flow(scene: Scene) -> None:
    await scene.crew.start("relay")
    await scene.crew.start("consumer")
    for number in range(1, 101):
        await scene.commit(number)
    await scene.effects(100)
    await until(lambda: scene.ledger.troubles(attempts=2), "it was tried again")
    await scene.commit(*range(101, 201))
    await scene.effects(200)
    [trouble] = await scene.ledger.troubles()
    assert trouble["subject"] == "0"
    assert trouble["last_error"]


async def test_an_event_that_nobody_hears_stays_until_somebody_does(scene: Scene) -> None:
    async with scene.channel() as channel:
        archive = await channel.get_queue(ARCHIVE, ensure=False)
        await archive.unbind(scene.exchange, "#")
    await commit_astray(scene, 0, routing_key="thing.unheard.v1")
    await expect_it_stays_while_others_flow(scene)
    async with scene.channel() as channel:
        queue = await channel.get_queue(scene.queue, ensure=False)
        await queue.bind(scene.exchange, "thing.unheard.v1")
    await scene.expect_everything_once()


async def test_an_event_for_an_exchange_that_does_not_exist_stays_until_it_does(scene: Scene) -> None:
    nowhere = f"{scene.exchange}.nowhere"
    await commit_astray(scene, 0, exchange=nowhere)
    await expect_it_stays_while_others_flow(scene)
    async with scene.channel() as channel:
        exchange = await channel.declare_exchange(nowhere, "topic", durable=True)
        queue = await channel.get_queue(scene.queue, ensure=False)
        await queue.bind(exchange, "#")
    await scene.expect_everything_once()
    async with scene.channel() as channel:
        await channel.exchange_delete(nowhere)
