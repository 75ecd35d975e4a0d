"""Each committed fact has exactly one effect, in any order of deliveries and with any number of duplicates."""

import signal
from uuid import uuid4

import pytest
from fault_schedule import TIMEOUT_S
from scenario import Scenario
from sqlalchemy import text

from shared.contracts.queues import ARCHIVE
from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)

_leader = text(
    """select application_name from pg_locks join pg_stat_activity using (pid)
       where locktype = 'advisory' and granted and application_name like 'relay-%' and state = :state"""
)
_polled_since = text(
    "select 1 from pg_stat_activity where application_name = :name and state = 'idle' and state_change > :time"
)


async def test_duplicates_in_any_order_have_one_effect(scenario: Scenario) -> None:
    events = await scenario.commit_facts(*range(300), emitted=False)
    deliveries = [
        delivery
        for event, message_id in [(event, uuid4()) for event in events]
        for delivery in [(event, message_id)] * scenario.rng.randint(1, 3)
    ]
    scenario.rng.shuffle(deliveries)
    await scenario.processes.start("consumer")
    await scenario.processes.start("consumer")
    await scenario.enqueue_all(deliveries)
    await scenario.assert_exactly_once()
    assert scenario.processes.duplicates == len(deliveries) - len(events)


async def test_an_event_that_is_committed_late_arrives_although_later_ones_went_before(scenario: Scenario) -> None:
    await scenario.processes.start("relay")
    await scenario.processes.start("consumer")
    async with scenario.database.transaction() as slow:
        await scenario.add_facts(slow, 1)
        await scenario.commit_facts(2)
        await scenario.wait_for_effects(1)
        await wait_until(scenario.is_outbox_empty, "the later one is gone")
    await scenario.wait_for_effects(2)
    await scenario.assert_exactly_once()


async def test_of_two_relays_one_leads_and_the_other_takes_over_when_it_is_killed(scenario: Scenario) -> None:
    relays = {await scenario.processes.start("relay"), await scenario.processes.start("relay")}
    for number in range(200):
        await scenario.commit_facts(number)
    await wait_until(scenario.is_outbox_empty, "all is published")
    ready = await wait_until(scenario.count_ready, "the queue says what it has")
    assert ready == 200, "nothing is published twice while nothing fails"
    frozen = await wait_until(lambda: freeze_leader(scenario), "a relay is frozen while it leads")
    [other] = relays - {frozen}
    waiting = await scenario.audit.count_outbox()
    await wait_until_polled(scenario, other)
    assert await scenario.audit.count_outbox() == waiting > 0, "no other relay leads"
    await scenario.processes.kill(frozen)
    await wait_until(scenario.is_outbox_empty, "the other has taken over")
    await scenario.processes.start("consumer")
    await scenario.assert_exactly_once()


async def freeze_leader(scenario: Scenario) -> str | None:
    """Stop the leading relay inside a transaction, with events to publish; returns its name, None when it escaped.

    It keeps the advisory lock while it is stopped.
    """
    first = (await scenario.audit.count_deliveries()).committed
    await scenario.commit_facts(*range(first, first + 1000))
    name = await find_leader(scenario, "idle in transaction")
    if name is None:
        return None
    scenario.processes.send_signal(name, signal.SIGSTOP)
    if await wait_until(lambda: read_leadership(scenario, name), "its last statement has ended") == "leads":
        return name
    scenario.processes.send_signal(name, signal.SIGCONT)
    return None


async def find_leader(scenario: Scenario, state: str) -> str | None:
    async with scenario.database.transaction() as session:
        name: str | None = (await session.execute(_leader, {"state": state})).scalars().first()
        return name


async def read_leadership(scenario: Scenario, name: str) -> str:
    """Whether the relay leads: "leads" or "does not", or "" while its statement still runs."""
    if await find_leader(scenario, "active"):
        return ""
    return "leads" if await find_leader(scenario, "idle in transaction") == name else "does not"


async def wait_until_polled(scenario: Scenario, name: str) -> None:
    """Wait until the process has run a statement after now."""
    async with scenario.database.transaction() as session:
        now = (await session.execute(text("select clock_timestamp()"))).scalar_one()

    async def has_polled() -> bool:
        async with scenario.database.transaction() as session:
            return (await session.execute(_polled_since, {"name": name, "time": now})).first() is not None

    await wait_until(has_polled, f"{name} looked for work")


async def commit_misaddressed(scenario: Scenario, number: int, **address: str) -> None:
    """Commit an event that goes to another exchange or has another routing key."""
    async with scenario.database.transaction() as session:
        await scenario.add_facts(session, number)
        for column, value in address.items():
            await session.execute(text(f"update outbox set {column} = :value"), {"value": value})


async def assert_only_it_stays(scenario: Scenario) -> None:
    """Assert that event 0 stays in the outbox with its error, while all others are delivered."""
    await scenario.processes.start("relay")
    await scenario.processes.start("consumer")
    for number in range(1, 101):
        await scenario.commit_facts(number)
    await scenario.wait_for_effects(100)
    await wait_until(lambda: scenario.audit.list_publish_failures(attempts=2), "it was tried again")
    await scenario.commit_facts(*range(101, 201))
    await scenario.wait_for_effects(200)
    [failure] = await scenario.audit.list_publish_failures()
    assert failure["subject"] == "0"
    assert failure["last_error"]


async def test_an_event_without_a_bound_queue_stays_until_one_is_bound(scenario: Scenario) -> None:
    async with scenario.channel() as channel:
        archive = await channel.get_queue(ARCHIVE, ensure=False)
        await archive.unbind(scenario.exchange, "#")
    await commit_misaddressed(scenario, 0, routing_key="thing.unheard.v1")
    await assert_only_it_stays(scenario)
    async with scenario.channel() as channel:
        queue = await channel.get_queue(scenario.queue, ensure=False)
        await queue.bind(scenario.exchange, "thing.unheard.v1")
    await scenario.assert_exactly_once()


async def test_an_event_for_an_exchange_that_does_not_exist_stays_until_it_does(scenario: Scenario) -> None:
    nowhere = f"{scenario.exchange}.nowhere"
    await commit_misaddressed(scenario, 0, exchange=nowhere)
    await assert_only_it_stays(scenario)
    async with scenario.channel() as channel:
        exchange = await channel.declare_exchange(nowhere, "topic", durable=True)
        queue = await channel.get_queue(scenario.queue, ensure=False)
        await queue.bind(exchange, "#")
    await scenario.assert_exactly_once()
    async with scenario.channel() as channel:
        await channel.exchange_delete(nowhere)
