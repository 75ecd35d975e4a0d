"""Private servers that are killed, and come back in the same folder and on the same ports."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from devstack.errors import Died
from devstack.process.gather_or_cancel import together
from devstack.process.log import Log
from devstack.process.ports import free_ports
from devstack.process.process import Command
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.rabbitmq import RabbitServer, find_rabbitmq
from devstack.servers.roles import connected, create_roles
from devstack.servers.servers import stack_folder
from devstack.testing import say

CONTROL_S = 30.0
USUAL_WATERMARK = "0.3"
ALARMING_WATERMARK = "0.00001"


class Lines(Log):
    """Shows what the processes say with a test that fails, and remembers what they were asked to count."""

    def __init__(self) -> None:
        super().__init__()
        self.duplicates: dict[str, int] = {}
        self.ready: set[str] = set()
        self.set_aside = 0

    def forget(self) -> None:
        """Before names are given anew."""
        self.duplicates.clear()
        self.ready.clear()
        self.set_aside = 0

    def line(self, name: str, line: str, *, quiet: bool = False) -> None:  # noqa: ARG002
        word, _, number = line.partition(" ")
        if word == "duplicates":
            self.duplicates[name] = int(number)
        elif word == "ready":
            self.ready.add(name)
        else:
            self.set_aside += "handler failed" in line
            sys.stdout.write(f"{name:<12} {line}\n")


class Battered:
    """Postgres and RabbitMQ under one supervisor, durable, because they lose their memory's contents."""

    def __init__(self, supervisor: Supervisor, lines: Lines, folder: Path) -> None:
        program = find_rabbitmq(say)
        port, broker_port, management_port = free_ports(3)
        self.supervisor = supervisor
        self.lines = lines
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres", port)
        self.rabbitmq = RabbitServer(folder / "rabbitmq", broker_port, management_port, program)
        self.died: list[Died] = []

    async def start(self) -> None:
        await together(self.postgres.start(self.supervisor), self.rabbitmq.start(self.supervisor))

    async def revive(self) -> None:
        """Start what a test that failed has left dead."""
        if "postgres" not in self.supervisor.processes:
            await self.start_postgres()
        if "rabbitmq" not in self.supervisor.processes:
            await self.supervisor.stop("epmd")
            await self.start_broker()

    async def new_schema(self) -> str:
        """The url of a role that owns a new and empty schema."""
        name = f"s{secrets.token_hex(4)}"
        return (await create_roles(self.postgres, [name]))[name]

    async def kill_broker(self) -> None:
        if self.rabbitmq.program is not None:
            await self.strike("rabbitmq")
            await self.supervisor.stop("epmd")
            return
        # The process is the engine's client: what is killed must be the server itself.
        process = self.supervisor.processes["rabbitmq"]
        process.stopping = True
        await self.supervisor.run("kill", ["docker", "kill", self.rabbitmq.container], seconds=CONTROL_S)
        await process.done
        await self.supervisor.stop("rabbitmq")

    async def start_broker(self) -> None:
        await self.rabbitmq.start(self.supervisor)

    async def crash_postgres(self) -> None:
        """What `pg_ctl stop -m immediate` does: nothing is finished, nothing written."""
        await self.strike("postgres", signal.SIGQUIT)

    async def start_postgres(self) -> None:
        await self.postgres.start(self.supervisor)

    async def strike(self, name: str, number: signal.Signals = signal.SIGKILL) -> Command:
        """End a process by a signal, which is no failure then; returns how it was started."""
        process = self.supervisor.processes[name]
        process.stopping = True
        process.send(number)
        await process.done
        await self.supervisor.stop(name)
        return process.command

    async def close_connections(self) -> int:
        """Have the broker close every connection; returns how many there were."""
        closed = 0
        async with self.management() as client:
            for connection in (await client.get("/api/connections")).raise_for_status().json():
                answer = await client.delete(f"/api/connections/{quote(connection['name'], safe='')}")
                closed += answer.is_success
        return closed

    async def terminate_backends(self) -> int:
        """Have Postgres end every session but the tests' own; returns how many there were."""
        async with connected(self.postgres.superuser_url()) as connection:
            return int(
                await connection.fetchval(
                    """select count(pg_terminate_backend(pid)) from pg_stat_activity
                       where backend_type = 'client backend' and pid <> pg_backend_pid()
                         and application_name <> 'tests'"""
                )
            )

    async def alarm(self, on: bool) -> None:
        """Make the broker believe that it has no memory left, or that it has."""
        await self._control("set_vm_memory_high_watermark", ALARMING_WATERMARK if on else USUAL_WATERMARK)

    def management(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.rabbitmq.management_url, timeout=CONTROL_S)

    async def _control(self, *words: str) -> None:
        if self.rabbitmq.program is None:
            inside = ["docker", "exec", self.rabbitmq.container, "rabbitmqctl", "--quiet", *words]
            await self.supervisor.run("rabbitmqctl", inside, seconds=CONTROL_S)
            return
        env = dict(self.supervisor.processes["rabbitmq"].command.env)
        env.pop("RABBITMQ_SCRIPTS_DIR", None)  # the slim home has only the server's own scripts
        argv: list[str | Path] = [self.rabbitmq.program.path.with_name("rabbitmqctl"), "--quiet", *words]
        await self.supervisor.run("rabbitmqctl", argv, env=env, cwd=self.rabbitmq.folder, seconds=CONTROL_S)

    async def watch(self) -> None:
        """Note every process that ends without being told to."""
        while True:
            self.died.append(await self.supervisor.failed())


@asynccontextmanager
async def battered_servers() -> AsyncIterator[Battered]:
    lines = Lines()
    async with Supervisor(lines) as supervisor:
        with stack_folder(None, supervisor) as folder:
            battered = Battered(supervisor, lines, folder)
            await battered.start()
            watching = asyncio.create_task(battered.watch())
            try:
                yield battered
            finally:
                watching.cancel()
                if "rabbitmq" in supervisor.processes:
                    await (
                        battered.kill_broker()
                    )  # it would take seconds to end in good order, and nobody needs its data
