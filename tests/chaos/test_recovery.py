"""A broker that was killed, asked for its queues as soon as it is back."""

import pytest
from killable_servers import KillableServers, OutputCollector

from devstack.process.supervisor import Supervisor
from devstack.servers.servers import stack_folder
from shared.messaging.topology import Declared, declare

pytestmark = pytest.mark.timeout(300)


@pytest.mark.long
async def test_what_the_broker_has_not_recovered_yet_is_awaited_and_not_taken_for_new() -> None:
    async with Supervisor(OutputCollector()) as supervisor:
        with stack_folder(None, supervisor) as folder:
            servers = KillableServers(supervisor, OutputCollector(), folder)
            await servers.start_broker()
            broker = servers.rabbitmq
            await declare(broker.url, broker.management_url)
            # A stream that is declared in the moment of the kill is lost for ever: the broker does not write at once.
            await supervisor.stop("rabbitmq")
            await supervisor.stop("epmd")
            await servers.start_broker()
            for _ in range(2):
                await servers.kill_broker()
                await servers.start_broker()
                declared = await declare(broker.url, broker.management_url)
                assert declared == Declared(new_queues=(), archive_is_new=False)
