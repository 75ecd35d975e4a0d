"""Runs one stack until a signal, for tests that kill it: runner.py WHAT [FOLDER].

Prints its progress as JSON lines.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from devstack.errors import StackError
from devstack.process.supervisor import Supervisor, stop_on_signals
from devstack.servers.roles import create_roles
from devstack.servers.servers import private_servers

# Its parent ends and it has its own session, like a daemon.
DAEMON = "(setsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 60; done' &) ; exec sleep 60"


async def main(what: str, folder: Path | None) -> None:
    async with stop_on_signals() as stop, Supervisor() as supervisor, AsyncExitStack() as context:
        write_json(stack=supervisor.stack_id, reaper=supervisor.reaper_pid)
        if what == "servers":
            servers = await context.enter_async_context(private_servers(folder, supervisor))
            servers.mark_topology_declared()
            roles = await create_roles(servers.postgres, ["auth", "ingest"])
            write_json(roles=roles, rabbitmq=servers.rabbitmq.url)
        else:
            await supervisor.start("daemon", ["sh", "-c", DAEMON])
        write_json(ready=True)
        await stop.wait()
    write_json(ended=True)


def write_json(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None))
    except StackError as error:
        sys.exit(f"devstack: {error}")
