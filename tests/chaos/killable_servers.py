"""Private servers that tests kill and start again, in the same folder and on the same ports."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from devstack.errors import ProcessExit
from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.process.log import Log
from devstack.process.ports import reserve_ports
from devstack.process.process import Command
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.rabbitmq import RabbitServer, find_rabbitmq
from devstack.servers.roles import create_roles, open_connection
from devstack.servers.servers import stack_folder
from testkit.servers import report

CONTROL_S = 30.0
NORMAL_WATERMARK = "0.3"
ALARM_WATERMARK = "0.00001"


class OutputCollector(Log):
    """Prints the output of the processes, which pytest shows for a failed test, and collects what they count."""

    def __init__(self) -> None:
        super().__init__()
        self.duplicates: dict[str, int] = {}
        self.ready: set[str] = set()
        self.handler_failures = 0

    def reset(self) -> None:
        """Clear everything; call it before process names are used again."""
        self.duplicates.clear()
        self.ready.clear()
        self.handler_failures = 0

    def write_line(self, name: str, line: str, *, quiet: bool = False) -> None:  # noqa: ARG002
        word, _, number = line.partition(" ")
        if word == "duplicates":
            self.duplicates[name] = int(number)
        elif word == "ready":
            self.ready.add(name)
        else:
            self.handler_failures += "handler failed" in line
            sys.stdout.write(f"{name:<12} {line}\n")


class KillableServers:
    """Postgres and RabbitMQ under one supervisor; durable, because a kill loses what is in memory only."""

    def __init__(self, supervisor: Supervisor, output: OutputCollector, folder: Path) -> None:
        program = find_rabbitmq(report)
        port, broker_port, management_port = reserve_ports(3)
        self.supervisor = supervisor
        self.output = output
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres", port)
        self.rabbitmq = RabbitServer(folder / "rabbitmq", broker_port, management_port, program)
        self.unexpected_exits: list[ProcessExit] = []

    async def start(self) -> None:
        await gather_or_cancel(self.postgres.start(self.supervisor), self.rabbitmq.start(self.supervisor))

    async def restart_stopped(self) -> None:
        """Start the servers that a failed test has left stopped."""
        if "postgres" not in self.supervisor.processes:
            await self.start_postgres()
        if "rabbitmq" not in self.supervisor.processes:
            await self.supervisor.stop("epmd")
            await self.start_broker()

    async def create_schema(self) -> str:
        """Create an empty schema; returns the url of the role that owns it."""
        name = f"s{secrets.token_hex(4)}"
        return (await create_roles(self.postgres, [name]))[name]

    async def kill_broker(self) -> None:
        if self.rabbitmq.program is not None:
            await self.kill_process("rabbitmq")
            await self.supervisor.stop("epmd")
            return
        # The process is only the docker client: the server to kill is inside the container.
        process = self.supervisor.processes["rabbitmq"]
        process.stopping = True
        await self.supervisor.run("kill", ["docker", "kill", self.rabbitmq.container], seconds=CONTROL_S)
        await process.done
        await self.supervisor.stop("rabbitmq")

    async def start_broker(self) -> None:
        await self.rabbitmq.start(self.supervisor)

    async def crash_postgres(self) -> None:
        """Stop Postgres as `pg_ctl stop -m immediate` does: without finishing or flushing anything."""
        await self.kill_process("postgres", signal.SIGQUIT)

    async def start_postgres(self) -> None:
        await self.postgres.start(self.supervisor)

    async def kill_process(self, name: str, number: signal.Signals = signal.SIGKILL) -> Command:
        """Kill a process, wait for its end and do not report it as failed; returns its command."""
        process = self.supervisor.processes[name]
        process.stopping = True
        process.send_signal(number)
        await process.done
        await self.supervisor.stop(name)
        return process.command

    async def close_connections(self) -> int:
        """Make the broker close every connection; returns how many were closed."""
        closed = 0
        async with self.management_client() as client:
            for connection in (await client.get("/api/connections")).raise_for_status().json():
                answer = await client.delete(f"/api/connections/{quote(connection['name'], safe='')}")
                closed += answer.is_success
        return closed

    async def terminate_backends(self) -> int:
        """Make Postgres end every session except those of the tests; returns how many were ended."""
        async with open_connection(self.postgres.superuser_url()) as connection:
            return int(
                await connection.fetchval(
                    """select count(pg_terminate_backend(pid)) from pg_stat_activity
                       where backend_type = 'client backend' and pid <> pg_backend_pid()
                         and application_name <> 'tests'"""
                )
            )

    async def set_memory_alarm(self, on: bool) -> None:
        """Set or clear the broker's memory alarm, by changing its watermark."""
        await self._run_rabbitmqctl("set_vm_memory_high_watermark", ALARM_WATERMARK if on else NORMAL_WATERMARK)

    def management_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.rabbitmq.management_url, timeout=CONTROL_S)

    async def _run_rabbitmqctl(self, *words: str) -> None:
        if self.rabbitmq.program is None:
            inside = ["docker", "exec", self.rabbitmq.container, "rabbitmqctl", "--quiet", *words]
            await self.supervisor.run("rabbitmqctl", inside, seconds=CONTROL_S)
            return
        env = dict(self.supervisor.processes["rabbitmq"].command.env)
        env.pop("RABBITMQ_SCRIPTS_DIR", None)  # the minimal home has no rabbitmqctl
        argv: list[str | Path] = [self.rabbitmq.program.path.with_name("rabbitmqctl"), "--quiet", *words]
        await self.supervisor.run("rabbitmqctl", argv, env=env, cwd=self.rabbitmq.folder, seconds=CONTROL_S)

    async def record_unexpected_exits(self) -> None:
        """Collect every process that ends unexpectedly, until cancelled."""
        while True:
            self.unexpected_exits.append(await self.supervisor.wait_for_failure())


@asynccontextmanager
async def run_killable_servers() -> AsyncIterator[KillableServers]:
    """Both servers, ready; they and their folder are removed at the end."""
    output = OutputCollector()
    async with Supervisor(output) as supervisor:
        with stack_folder(None, supervisor) as folder:
            servers = KillableServers(supervisor, output, folder)
            await servers.start()
            recording = asyncio.create_task(servers.record_unexpected_exits())
            try:
                yield servers
            finally:
                recording.cancel()
                if "rabbitmq" in supervisor.processes:
                    # A clean shutdown would take seconds, and the data are no longer needed.
                    await servers.kill_broker()
